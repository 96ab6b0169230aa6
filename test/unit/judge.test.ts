import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Figures } from '../../deployer/contract.ts';
import { Judge, median, since } from '../../deployer/core/judge.ts';
import { addUp, Counter, noFigures } from '../../app/handover/figures.ts';

/** Figures as a child counts them: `answered` answers of `ms` each, `errors` of them bad. */
function figures(answered: number, errors: number, ms: number): Figures {
  const counter = new Counter();
  for (let n = 0; n < answered; n++) counter.add(n < errors ? 503 : 200, ms);
  return counter.read();
}
const old = (errors: number, ms = 10) => ({ errors: figures(1000, errors, ms), pace: figures(500, 0, ms) });

/** What a look says a moment after the beginning. */
const compare = (next: Figures, before: ReturnType<typeof old>): string[] =>
  new Judge(0).look(next, before, 250);

/** What is said after two seconds, when as much was answered in each, and just as fast. */
function again(next: Figures, before: ReturnType<typeof old>): string[] {
  const judge = new Judge(0);
  assert.deepEqual(judge.look(next, before, 1000), [], 'not after the first');
  return judge.look(addUp([next, next]), before, 2000);
}

describe('figures of a release', () => {
  it('tell the median to within the width of a bucket', () => {
    for (const ms of [0.4, 3, 10, 47, 900, 30_000]) {
      const found = median(figures(100, 0, ms)) ?? 0;
      assert.ok(found <= Math.max(1, ms * 1.42) && found >= ms / 2.9, `${ms} ms found as ${found}`);
    }
    assert.equal(median(noFigures()), null);
  });

  it('are added up over children, and what was before is taken off; a child that was replaced makes nothing negative', () => {
    const both = addUp([figures(10, 1, 5), figures(20, 2, 50)]);
    assert.deepEqual([both.answered, both.errors], [30, 3]);
    const more = since(figures(10, 1, 5), both);
    assert.deepEqual(
      [more.answered, more.errors, median(more) === median(figures(20, 2, 50))],
      [20, 2, true],
    );
    assert.ok(since(both, figures(3, 0, 5)).times.every((count) => count >= 0));
  });
});

describe('a release is worse', () => {
  it('when more of its answers are errors', () => {
    assert.match(
      compare(figures(100, 5, 10), old(0))[0] ?? '',
      /^5 of 100 answers were errors \(5\.0 %\); of the old release's 1000: 0 \(0\.0 %\)$/,
    );
    assert.equal(compare(figures(20, 20, 10), old(0)).length, 1);
  });

  it('and not when there are few of them, or as many as before', () => {
    assert.deepEqual(compare(figures(20, 4, 10), old(0)), []);
    assert.deepEqual(compare(figures(100, 5, 10), old(50)), []);
    assert.deepEqual(compare(figures(2000, 10, 10), old(0)), []);
    assert.deepEqual(compare(figures(300, 5, 10), old(5)), []);
  });

  it('when half of its answers take three times as long in one second, and in the next too', () => {
    assert.match(
      again(figures(200, 0, 50), old(0))[0] ?? '',
      /^half of 200 answers took longer than \d+ ms; of the old/,
    );
  });

  it('and not when it is slow only as it begins', () => {
    const judge = new Judge(0);
    const begin = figures(200, 0, 50);
    assert.deepEqual(judge.look(begin, old(0), 1000), []);
    for (const n of [100, 300, 1000])
      assert.deepEqual(judge.look(addUp([begin, figures(n, 0, 10)]), old(0), 1000 + n * 10), []);
  });

  it('and not before it has been slow for two seconds, however much it answers meanwhile', () => {
    const judge = new Judge(0);
    const look = (n: number, at: number): string[] => judge.look(figures(n, 0, 50), old(0), at);
    for (const at of [250, 500, 750, 1000, 1250, 1500, 1750]) assert.deepEqual(look(at * 2, at), []);
    assert.equal(look(4000, 2000).length, 1);
  });

  it('and not when it was slow twice with a quick second between', () => {
    const judge = new Judge(0);
    let all = noFigures();
    for (const [second, ms] of [50, 10, 50, 10].entries()) {
      all = addUp([all, figures(200, 0, ms)]);
      assert.deepEqual(judge.look(all, old(0), (second + 1) * 1000), []);
    }
  });

  it('and not when the old one, which answers beside it, is as slow in the same seconds', () => {
    const judge = new Judge(0);
    let [next, beside] = [figures(1000, 0, 10), figures(1000, 0, 10)];
    for (let second = 1; second <= 4; second++) {
      assert.deepEqual(judge.look(next, { errors: beside, pace: beside }, second * 1000), []);
      [next, beside] = [next, beside].map((one) => addUp([one, figures(110, 0, 200)])) as [Figures, Figures];
    }
  });

  it('and not while its answers still get faster, but when they no longer do', () => {
    const judge = new Judge(0);
    let all = figures(100, 0, 400);
    for (const [second, ms] of [200, 100].entries()) {
      assert.deepEqual(judge.look(all, old(0), (second + 1) * 1000), []);
      all = addUp([all, figures(100, 0, ms)]);
    }
    assert.deepEqual(judge.look(all, old(0), 3000), []);
    assert.equal(judge.look(addUp([all, figures(100, 0, 100)]), old(0), 4000).length, 1);
  });

  it('and not when it is a little slower, when both are fast, or when there are too few answers on either side', () => {
    assert.deepEqual(again(figures(200, 0, 20), old(0)), []);
    assert.deepEqual(again(figures(200, 0, 4), old(0, 0.5)), []);
    assert.deepEqual(again(figures(49, 0, 500), old(0)), []);
    const few = { errors: figures(1000, 0, 10), pace: figures(50, 0, 10) };
    assert.deepEqual(again(figures(200, 0, 500), few), []);
  });

  it('by its errors alone when nothing has been answered before', () => {
    const none = { errors: noFigures(), pace: noFigures() };
    assert.equal(compare(figures(100, 10, 10), none).length, 1);
    assert.deepEqual(compare(figures(100, 0, 10), none), []);
  });
});
