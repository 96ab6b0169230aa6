import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually, freePort } from '../support/containers.ts';
import { HostInstance, type Control } from '../support/instance.ts';

/** One child, so that its limit is the limit. */
describe('a pause', { timeout: 120_000 }, () => {
  let dir: string;
  let port: number;
  let app: HostInstance;
  let control: Control;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-pause-'));
    port = await freePort();
    app = new HostInstance(dir, port, 'r1', { WEB_CONCURRENCY: '1' });
    await app.until('serving');
    control = await app.session();
  });
  afterEach(async () => {
    control.close();
    await app[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** A request under way: its status once it is answered, null until then. */
  function ask(path = '/'): { status: number | null; answered: Promise<number> } {
    const asked = { status: null as number | null, answered: Promise.resolve(0) };
    asked.answered = new Promise((resolve, reject) => {
      const req = http.get({ port, host: '127.0.0.1', path, agent: false }, (res) => {
        res.resume();
        res.on('end', () => resolve((asked.status = res.statusCode ?? 0)));
      });
      req.setTimeout(20_000, () => req.destroy(new Error('no answer')));
      req.on('error', reject);
    });
    asked.answered.catch(() => {});
    return asked;
  }
  /** Connections that the instance has accepted. */
  const accepted = async (count: number): Promise<void> =>
    void (await eventually(`${count} have arrived`, async () => {
      const [child] = (await app.state()).children;
      return (child?.connections ?? 0) >= count;
    }));

  it('lets new requests wait, those that run go on, and answers one more than may wait with 503', async () => {
    const running = ask('/slow?ms=500');
    await accepted(1);
    await control.ask('pause', { limit: 2, ms: 60_000 });
    assert.equal((await app.state()).paused, true);
    const waiting = [ask(), ask()];
    await accepted(3);
    const more = ask();
    assert.equal(await more.answered, 503);
    assert.equal(await running.answered, 200);
    assert.deepEqual(
      waiting.map(({ status }) => status),
      [null, null],
    );
    await control.ask('resume');
    assert.deepEqual(await Promise.all(waiting.map(({ answered }) => answered)), [200, 200]);
    assert.equal(await ask().answered, 200);
    assert.equal((await app.state()).paused, false);
  });

  it('ends by itself after its time, also when the session that asked for it has ended before', async () => {
    const own = await app.session();
    await own.ask('pause', { limit: 10, ms: 1500 });
    own.close();
    const waiting = ask();
    await accepted(1);
    assert.equal((await app.state()).paused, true, 'the end of a session is not its end');
    assert.equal(await waiting.answered, 200);
    await eventually('it is over', async () => !(await app.state()).paused);
  });

  it('ends when the instance leaves, which answers all that waits before', async () => {
    await control.ask('pause', { limit: 10, ms: 60_000 });
    const waiting = [ask(), ask(), ask()];
    await accepted(3);
    app.process.kill('SIGTERM');
    assert.deepEqual(await Promise.all(waiting.map(({ answered }) => answered)), [200, 200, 200]);
    assert.equal(await app.ended(), 0);
  });
});
