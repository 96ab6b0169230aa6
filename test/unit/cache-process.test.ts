import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { News } from '../../app/cache/news.ts';
import { createMaster, type MasterOptions } from '../../app/cache/process.ts';
import type { Logger } from '../../app/log.ts';
import { eventually } from '../support/containers.ts';

/** A log that remembers its lines. */
function fakeLog() {
  const lines: string[] = [];
  const log = {
    warn: (_fields: object, text: string) => lines.push(`warn ${text}`),
    info: (_fields: object, text: string) => lines.push(`info ${text}`),
  } as unknown as Logger;
  return { lines, log };
}

/** News within this process; `broken` loses what is told. */
function fakeNews() {
  const holders: { name: string; heard: () => void }[] = [];
  const news = {
    broken: false,
    topic(name: string, heard: () => void) {
      const holder = { name, heard };
      holders.push(holder);
      return {
        async tell() {
          if (news.broken) return false;
          for (const other of holders) if (other !== holder && other.name === name) other.heard();
          return true;
        },
        close: () => void holders.splice(holders.indexOf(holder), 1),
      };
    },
    connected: () => true,
    settled: async () => {},
    close: () => {},
  };
  return news satisfies News;
}

/** Master data over a value that the test changes. */
function over(
  source: { value: number; loads: number; fail?: boolean },
  options: Partial<MasterOptions> = {},
) {
  const load = async (): Promise<number> => {
    source.loads += 1;
    if (source.fail) throw new Error('no database');
    return source.value;
  };
  return createMaster(load, { name: 'prices', log: fakeLog().log, ...options });
}

describe('master data of a process', () => {
  it('is loaded once, for all who ask, and kept', async () => {
    const source = { value: 1, loads: 0 };
    const prices = over(source);
    assert.deepEqual(await Promise.all([prices.get(), prices.get()]), [1, 1]);
    source.value = 2;
    assert.equal(await prices.get(), 1);
    assert.equal(source.loads, 1);
    prices.close();
  });

  it('is new in this process when invalidate has resolved, and in all others that keep it', async () => {
    const source = { value: 1, loads: 0 };
    const news = fakeNews();
    const [here, there, idle] = [over(source, { news }), over(source, { news }), over(source, { news })];
    const stranger = over(source, { news, name: 'countries' });
    await Promise.all([here.get(), there.get(), stranger.get()]);
    source.value = 2;
    await here.invalidate();
    assert.equal(await here.get(), 2);
    await eventually('the other process has it', async () => (await there.get()) === 2);
    assert.equal(await stranger.get(), 1);
    assert.equal(idle.stats().loads, 0); // it had nothing that could be old
    for (const master of [here, there, idle, stranger]) master.close();
  });

  it('is served as it was until the new is there', async () => {
    const second = Promise.withResolvers<number>();
    let loads = 0;
    const load = async (): Promise<number> => (++loads === 1 ? 1 : second.promise);
    const prices = createMaster(load, { name: 'prices', log: fakeLog().log });
    await prices.get();
    const done = prices.invalidate();
    assert.equal(await prices.get(), 1);
    second.resolve(2);
    await done;
    assert.equal(await prices.get(), 2);
    prices.close();
  });

  it('is loaded once more when a change comes while it is loaded, and not once per change', async () => {
    let value = 1;
    let loads = 0;
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const load = async (): Promise<number> => {
      const read = value; // of before the change
      await gates[loads++]?.promise;
      return read;
    };
    const prices = createMaster(load, { name: 'prices', log: fakeLog().log });
    const first = prices.get();
    value = 2;
    const changes = [prices.invalidate(), prices.invalidate(), prices.invalidate()];
    gates[0]?.resolve();
    assert.equal(await first, 1);
    gates[1]?.resolve();
    await Promise.all(changes);
    assert.equal(await prices.get(), 2);
    assert.equal(loads, 2);
    prices.close();
  });

  it('stays when loading fails, with one line in the log, and is loaded again by itself', async () => {
    const source = { value: 1, loads: 0, fail: false };
    const { lines, log } = fakeLog();
    const prices = over(source, { log, maxAgeMs: 20 });
    await prices.get();
    Object.assign(source, { value: 2, fail: true });
    await prices.invalidate();
    await eventually('several attempts failed', async () => prices.stats().failures >= 3);
    assert.equal(await prices.get(), 1);
    source.fail = false;
    await eventually('it is new', async () => (await prices.get()) === 2);
    assert.deepEqual(lines, ['warn master data was not loaded', 'info master data is loaded again']);
    prices.close();
  });

  it('rejects when the first load fails, and is loaded by the next who asks', async () => {
    const source = { value: 1, loads: 0, fail: true };
    const prices = over(source);
    await assert.rejects(prices.get(), /no database/);
    source.fail = false;
    assert.equal(await prices.get(), 1);
    prices.close();
  });

  it('is seen within its greatest age when nobody tells, and without one it is not', async () => {
    const source = { value: 1, loads: 0 };
    const news = fakeNews();
    const writer = over(source, { news });
    const aging = over(source, { news, maxAgeMs: 20 });
    const other = over(source, { news });
    await Promise.all([writer.get(), aging.get(), other.get()]);
    news.broken = true;
    source.value = 2;
    await writer.invalidate();
    await eventually('its age is over', async () => (await aging.get()) === 2);
    assert.equal(await other.get(), 1);
    for (const master of [writer, aging, other]) master.close();
  });

  it('says how often it was loaded and how old it is', async () => {
    const prices = over({ value: 1, loads: 0 });
    assert.deepEqual(prices.stats(), { loads: 0, failures: 0, ageMs: null });
    await prices.get();
    const { ageMs, ...counts } = prices.stats();
    assert.deepEqual(counts, { loads: 1, failures: 0 });
    assert.ok(ageMs !== null && ageMs >= 0);
    prices.close();
  });

  it('is neither loaded nor told of after it was closed', async () => {
    const source = { value: 1, loads: 0 };
    const news = fakeNews();
    const [open, shut] = [over(source, { news }), over(source, { news })];
    await Promise.all([open.get(), shut.get()]);
    shut.close();
    await open.invalidate();
    assert.equal(source.loads, 3); // two first loads and the one of `open`
    open.close();
  });
});
