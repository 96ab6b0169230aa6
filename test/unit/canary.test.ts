import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canaryOf } from '../../deployer/canary-flags.ts';
import type { Flags } from '../../deployer/cli.ts';
import { weightsFor } from '../../deployer/core/canary.ts';
import { DeployError } from '../../deployer/errors.ts';

describe('the sockets of a canary', () => {
  it('give the new release its share to within half a percentage point, however many children either has', () => {
    for (const percent of [1, 5, 10, 25, 33, 50, 75, 90, 99]) {
      for (const [next, old] of [
        [2, 2],
        [1, 1],
        [1, 4],
        [4, 1],
        [3, 2],
      ] as const) {
        const weights = weightsFor(percent, { next, old });
        const [mine, theirs] = [weights.next * next, weights.old * old];
        const share = (mine / (mine + theirs)) * 100;
        assert.ok(Math.abs(share - percent) <= 0.5, `${percent} % of ${next} and ${old} children: ${share}`);
        assert.ok(weights.next >= 1 && weights.old >= 1 && weights.next + weights.old <= 500);
      }
    }
  });

  it('are as few as will do', () => {
    assert.deepEqual(weightsFor(50, { next: 2, old: 2 }), { next: 1, old: 1 });
    assert.deepEqual(weightsFor(10, { next: 2, old: 2 }), { next: 1, old: 9 });
  });
});

describe('--canary, --steps and --for', () => {
  const flags = (given: Partial<Flags>): Flags => given as Flags;

  it('say the shares and how long each', () => {
    assert.equal(canaryOf(flags({})), undefined);
    assert.deepEqual(canaryOf(flags({ canary: [10] })), { percents: [10], ms: 60_000 });
    assert.deepEqual(canaryOf(flags({ steps: [5, 25], for: 2000 })), { percents: [5, 25], ms: 2000 });
    assert.equal(canaryOf(flags({ canary: [] })), undefined, '100 % is no canary');
  });

  it('are refused where they make no sense', () => {
    assert.throws(() => canaryOf(flags({ canary: [5], steps: [5] })), DeployError);
    assert.equal(canaryOf(flags({ for: 1000 })), undefined);
  });
});
