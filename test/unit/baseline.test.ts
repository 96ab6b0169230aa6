import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Sessions } from '../../deployer/core/sessions.ts';
import { Baseline } from '../../deployer/core/watch.ts';
import { instance } from '../support/plans.ts';

/** What is said of the pace of two instances that had `begin` answers each at first, and `end` after so many milliseconds. */
async function pace(t: TestContext, begin: number, end: number, ms: number): Promise<number | null> {
  let now = 1000;
  t.mock.method(performance, 'now', () => now);
  let answered = begin;
  const ask = async (): Promise<object> => ({ answered, errors: 0, times: [] });
  const sessions = { with: async () => ({ ask }) } as unknown as Sessions;
  const baseline = new Baseline(sessions, [instance('app-1', 'r1'), instance('app-2', 'r1')]);
  baseline.end();
  await baseline.read(); // the first look is over
  [now, answered] = [now + ms, end];
  const found = await baseline.perSecond();
  t.mock.restoreAll();
  return found;
}

describe('the pace of the old release', () => {
  it('is counted over all of its instances', async (t) => {
    assert.equal(await pace(t, 100, 150, 500), 200);
  });

  it('is not known too soon, nor when a child was replaced and has taken its figures along', async (t) => {
    assert.equal(await pace(t, 100, 101, 10), null);
    assert.equal(await pace(t, 70_000, 36_000, 500), null);
  });

  it('is not known without an old release', async () => {
    assert.equal(await new Baseline({} as Sessions, []).perSecond(), null);
  });
});
