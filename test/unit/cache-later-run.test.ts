import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { laterRun } from '../../app/cache/later-run.ts';

/** Work that ends when the test says so; each run answers its number. */
function manualWork() {
  const runs: PromiseWithResolvers<number>[] = [];
  return {
    runs,
    work: () => {
      runs.push(Promise.withResolvers<number>());
      return runs.at(-1)!.promise;
    },
  };
}

describe('a run that begins later', () => {
  it('is shared by all who ask while another is under way, and begins only then', async () => {
    const { runs, work } = manualWork();
    const ask = laterRun(work);
    const first = ask();
    const later = [ask(), ask(), ask()];
    assert.equal(runs.length, 1);
    runs[0]!.resolve(1);
    assert.equal(await first, 1);
    assert.equal(runs.length, 2, 'what they get was begun after they asked');
    runs[1]!.resolve(2);
    assert.deepEqual(await Promise.all(later), [2, 2, 2]);
    assert.equal(runs.length, 2);
  });

  it('begins at once when none is under way', () => {
    const { runs, work } = manualWork();
    void laterRun(work)();
    assert.equal(runs.length, 1);
  });

  it('is not harmed by the failure of the one before it, nor does it keep its own', async () => {
    const { runs, work } = manualWork();
    const ask = laterRun(work);
    const [first, second] = [ask(), ask()];
    runs[0]!.reject(new Error('lost'));
    await assert.rejects(first, /lost/);
    runs[1]!.reject(new Error('lost again'));
    await assert.rejects(second, /lost again/);
    const third = ask();
    runs[2]!.resolve(3);
    assert.equal(await third, 3);
  });
});
