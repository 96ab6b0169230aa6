import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { ReleaseRecord } from '../../app/handover/protocol.ts';
import {
  decideAtBoot,
  mayStandIn,
  readRecord,
  succeed,
  watchRecord,
  writeRecord,
} from '../../app/handover/record.ts';

const NOW = new Date('2026-11-21T01:23:05.120Z');
const record = (serving: string, known: string[] = []): ReleaseRecord => ({
  version: 1,
  serving,
  known,
  at: NOW.toISOString(),
});

describe('what an instance does at boot', () => {
  it('is to serve and to write the record when there is none', () => {
    assert.equal(decideAtBoot(null, 'r1'), 'claim');
  });

  it('is to serve when the record names its release, and to stand by when it names another', () => {
    assert.equal(decideAtBoot(record('r1'), 'r1'), 'serve');
    assert.equal(decideAtBoot(record('r2', ['r1']), 'r1'), 'standby');
  });
});

describe('a release that may stand in for the one that serves', () => {
  it('is one that has served before, and no other', () => {
    assert.equal(mayStandIn('r1', record('r2', ['r1'])), true);
    assert.equal(mayStandIn('r3', record('r2', ['r1'])), false, 'nobody has admitted it');
    assert.equal(mayStandIn('r2', record('r2', ['r1', 'r2'])), false, 'it serves itself');
    assert.equal(mayStandIn('r1', null), false);
  });
});

describe('the record after a release takes over', () => {
  it('knows nobody when it is the first', () => {
    assert.deepEqual(succeed(null, 'initial', NOW), record('initial'));
  });

  it('names the releases before it, the newest first, each once', () => {
    assert.deepEqual(succeed(record('r2', ['r1', 'initial']), 'r3', NOW).known, ['r2', 'r1', 'initial']);
    assert.deepEqual(succeed(record('r2', ['r1', 'initial']), 'r1', NOW).known, ['r2', 'initial']);
  });

  it('changes nothing but the time when the release that serves claims again', () => {
    assert.deepEqual(succeed(record('r2', ['r1']), 'r2', NOW), record('r2', ['r1']));
  });

  it('remembers at most 20 releases and forgets the oldest', () => {
    const known = Array.from({ length: 20 }, (_, n) => `r${20 - n}`);
    const next = succeed(record('r21', known), 'r22', NOW);
    assert.equal(next.known.length, 20);
    assert.equal(next.known[0], 'r21');
    assert.equal(next.known.at(-1), 'r2');
  });
});

describe('record.json', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-record-'));
  });
  beforeEach(async () => {
    await rm(join(dir, 'record.json'), { force: true });
  });
  after(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  it('is read as null only when it is not there', async () => {
    assert.equal(await readRecord(dir), null);
    await writeRecord(dir, record('r1'));
    assert.deepEqual(await readRecord(dir), record('r1'));
  });

  for (const [what, text] of [
    ['empty', ''],
    ['torn', '{"version":1,"serving":"r'],
    ['not JSON', 'r1\n'],
    ['null', 'null'],
    ['of another version', JSON.stringify({ ...record('r1'), version: 2 })],
    ['without a release', JSON.stringify({ version: 1, known: [] })],
    ['without a list', JSON.stringify({ version: 1, serving: 'r1', known: 'initial' })],
  ] as const) {
    it(`is an error, and never "no record", when it is ${what}`, async () => {
      await writeFile(join(dir, 'record.json'), text);
      await assert.rejects(readRecord(dir));
    });
  }

  it('is replaced in one step: a reader sees the old record or the new one, and nothing is left behind', async () => {
    await writeRecord(dir, record('r0'));
    const known = Array.from({ length: 20 }, (_, n) => `release-with-a-long-name-${n}`);
    const writing = (async () => {
      for (let n = 1; n <= 50; n++) await writeRecord(dir, record(`r${n}`, known));
    })();
    let last = 0;
    while (last < 50) {
      const now = Number((await readRecord(dir))?.serving.slice(1));
      assert.ok(now >= last, `${now} after ${last}`);
      last = now;
    }
    await writing;
    assert.equal((await readRecord(dir))?.serving, 'r50');
    assert.deepEqual(await readdir(dir), ['record.json']);
  });

  it('is not touched by a write that fails, and the writer hears of it', async () => {
    await assert.rejects(writeRecord(join(dir, 'absent'), record('r1')), /ENOENT/);
    assert.equal(await readRecord(dir), null);
  });

  it('ends in a newline, so that it can be read in a shell', async () => {
    await writeRecord(dir, record('r1'));
    assert.match(await readFile(join(dir, 'record.json'), 'utf8'), /\}\n$/);
  });

  it('is watched: a replacement is heard, and nothing after the watch was closed', async () => {
    let heard = (): void => {};
    const change = new Promise<void>((resolve) => (heard = resolve));
    let calls = 0;
    const stop = watchRecord(dir, () => {
      calls += 1;
      heard();
    });
    const deadline = setTimeout(() => assert.fail('no change heard within 5 s'), 5000);
    await writeRecord(dir, record('r2'));
    await change;
    clearTimeout(deadline);
    stop();
    const then = calls;
    await writeRecord(dir, record('r3'));
    assert.equal((await readRecord(dir))?.serving, 'r3'); // a few turns of the event loop later
    assert.equal(calls, then);
  });

  it('of a folder that cannot be watched is still polled', () => {
    const stop = watchRecord(join(dir, 'absent'), () => {});
    assert.doesNotThrow(stop);
  });
});
