import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { freePort } from '../support/containers.ts';
import { HostInstance } from '../support/instance.ts';

const BOOTS = 4;
/** Far longer than an instance takes to settle in. */
const ASKED_MS = 300;

describe('an instance that stands in', { timeout: 60_000 }, () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-stand-in-'));
    const record = { version: 1, serving: 'r2', known: ['r1'], at: new Date().toISOString() };
    await writeFile(join(dir, 'record.json'), JSON.stringify(record));
  });
  afterEach(async () => await rm(dir, { recursive: true, force: true }));

  function standIn(port: number): HostInstance {
    return new HostInstance(dir, port, 'r1', { STAND_IN: '1' });
  }

  /** One request at the door: the release that answers, or why none did. */
  function atTheDoor(): Promise<string> {
    return new Promise((resolve) => {
      const req = http.get({ socketPath: join(dir, 'stand-in.sock'), path: '/', agent: false }, (res) => {
        res.resume();
        res.on('end', () => resolve(String(res.headers['x-release'])));
      });
      req.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  }

  it('answers at its door from its first moment in standby on, without a gap', async () => {
    for (let n = 0; n < BOOTS; n++) {
      await using one = standIn(await freePort());
      await one.until('standby');
      const answers = new Set<string>();
      for (const until = performance.now() + ASKED_MS; performance.now() < until;)
        answers.add(await atTheDoor());
      assert.deepEqual([...answers], ['r1'], `boot ${n}`);
    }
  });

  it('leaves the door to the one that took its name over when it ends', async () => {
    await using first = standIn(await freePort());
    await first.until('standby');
    await using second = standIn(await freePort());
    await second.until('standby');
    first.process.kill('SIGTERM');
    let answer = 'r1';
    while (first.process.exitCode === null && answer === 'r1') answer = await atTheDoor();
    assert.equal(await first.ended(), 0);
    assert.equal(answer, 'r1');
    assert.equal(await atTheDoor(), 'r1');
  });
});
