import assert from 'node:assert/strict';
import { mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Maildir } from '../../app/jobs/drop/maildir.ts';

void describe('a drop folder', () => {
  let folder: string;
  let one: Maildir;
  let two: Maildir;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tasuki-drop-'));
    one = new Maildir({ folder, owner: 'one', staleMs: 1000 });
    two = new Maildir({ folder, owner: 'two', staleMs: 1000 });
    await one.prepare();
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  async function drop(name: string): Promise<void> {
    await writeFile(join(folder, 'tmp', name), 'text');
    await rename(join(folder, 'tmp', name), join(folder, 'new', name));
  }
  const list = async (part: string): Promise<string[]> => (await readdir(join(folder, part))).toSorted();

  test('gives each file to one of many workers', async () => {
    const names = Array.from({ length: 50 }, (_, n) => `file-${n}`);
    await Promise.all(names.map(drop));
    const workers = Array.from(
      { length: 8 },
      (_, n) => new Maildir({ folder, owner: `w${n}`, staleMs: 1000 }),
    );
    const got = await Promise.all(
      workers.map(async (worker) => {
        const mine: string[] = [];
        for (let claim = await worker.claim(); claim; claim = await worker.claim()) mine.push(claim.name);
        return mine;
      }),
    );
    assert.deepEqual(got.flat().toSorted(), names.toSorted());
    assert.ok(got.filter((mine) => mine.length > 0).length > 1, 'several workers had some');
  });

  test('shows nobody a file that is still being written', async () => {
    await writeFile(join(folder, 'tmp', 'half'), 'ha');
    await writeFile(join(folder, 'new', '.hidden'), 'x');
    assert.equal(await one.claim(), null);
  });

  test('keeps a file that failed with its error beside it, and gives it out again when it is due', async () => {
    await drop('bad');
    const first = await one.claim();
    assert.equal(first?.tries, 0);
    await one.fail(first, { tries: 1, retryAt: 5000, reason: 'line 1' });
    assert.deepEqual(await list('cur'), ['bad.error', 'bad:2,']);
    assert.equal(await two.claim(4000), null);
    const again = await two.claim(6000);
    assert.deepEqual([again?.name, again?.tries], ['bad', 1]);
    assert.equal(await one.claim(6000), null, 'it is given out once');
    assert.equal((await one.failure('bad'))?.reason, 'line 1');
    await two.finish(again!);
    assert.deepEqual(await list('cur'), []);
  });

  test('puts away for good what failed too often, with its error', async () => {
    await drop('bad');
    await one.fail((await one.claim())!, { tries: 5, retryAt: Infinity, reason: 'no' });
    assert.deepEqual(await list('cur'), []);
    assert.deepEqual(await list('failed'), ['bad', 'bad.error']);
    assert.equal(await one.claim(), null);
  });

  test('takes back the file of a dead worker, and not that of one that lives', async () => {
    await drop('a');
    const claim = await one.claim();
    assert.deepEqual(await two.takeBack(), []);
    await utimes(claim!.path, new Date(0), new Date(0));
    assert.equal(await one.touch(claim!), true);
    assert.deepEqual(await two.takeBack(), [], 'it was touched');
    assert.deepEqual(await two.takeBack(Date.now() + 2000), ['a']);
    assert.equal((await two.claim())?.name, 'a');
    assert.equal(await one.touch(claim!), false, 'the first learns that it lost it');
  });

  test('does not take a file that waited long in new/ for one of a dead worker', async () => {
    await drop('old');
    await utimes(join(folder, 'new', 'old'), new Date(0), new Date(0));
    assert.equal((await one.claim())?.name, 'old');
    assert.deepEqual(await two.takeBack(), []);
  });

  test('has a file given back as new, which costs no try', async () => {
    await drop('a');
    await one.giveBack((await one.claim())!);
    assert.deepEqual(await list('new'), ['a']);
    assert.equal((await two.claim())?.tries, 0);
  });

  test('keeps names whole that look like its own marks', async () => {
    await drop('a:2,b');
    await drop('c.error');
    const claims = [await one.claim(), await one.claim()];
    assert.deepEqual(
      claims.map((claim) => claim?.name),
      ['a:2,b', 'c.error'],
    );
    assert.deepEqual((await two.takeBack(Date.now() + 2000)).toSorted(), ['a:2,b', 'c.error']);
  });
});
