import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { recordOf, type Observed } from '../../deployer/core/observe.ts';
import { makePlan } from '../../deployer/core/plan.ts';
import { BOOT, hidden, instance, next, observed, PLAIN, stopped, words } from '../support/plans.ts';

/** Where the proxy chooses who serves (`strategy: upstream`), `route` is the list that it goes by. */

const ROUTED = BOOT.replace('  admit r9\n', '  admit r9\n  lead the proxy to r9\n');

function routed(route: string[], ...of: Parameters<typeof observed>): Observed {
  return { ...observed(...of), route };
}
const said = (state: Observed, desired: Parameters<typeof words>[0] = next): string =>
  words(desired, state, true, { route: state.route });

describe('the plan where the proxy chooses', () => {
  it('leads the proxy to the next release between its admission and the first answer that is seen', () => {
    const state = routed(['r1'], 'r1', [], [instance('app-1', 'r1')]);
    assert.equal(said(state), `${ROUTED}\n  drain r1\n  park r1\n  retire app-1`);
  });

  it('keeps the release before behind the next one, and goes back to the list of before', () => {
    const state = routed(['r1', 'r0'], 'r1', ['r0'], [instance('app-1', 'r1'), instance('p', 'r0', hidden)]);
    const { reversible } = makePlan(next, state, { ...PLAIN, route: state.route });
    const step = reversible.find((one) => one.do === 'route');
    assert.ok(step?.do === 'route');
    assert.deepEqual(
      [step.releases, step.before],
      [
        ['r9', 'r1'],
        ['r1', 'r0'],
      ],
    );
  });

  it('first leads it to the release that serves, where nobody has written a list: the next one has the name of the service too', () => {
    const state = routed([], 'initial', [], [instance('app-1', 'initial')], null);
    assert.match(
      said(state),
      /^tidy up\n {2}lead the proxy to initial\nundone if anything fails\n {2}create/,
    );
  });

  it('first leads it back when a deploy was killed before its switch, and only then retires what that left', () => {
    const both = [instance('app-1', 'r1'), instance('app-2', 'r2')];
    assert.match(
      said(routed(['r2', 'r1'], 'r1', [], both)),
      /^tidy up\n {2}lead the proxy to r1\n {2}retire app-2\n/,
    );
  });

  it('leads it to the parked release in a rollback', () => {
    const parked = instance('parked-r1', 'r1', hidden);
    const state = routed(['r2', 'r1'], 'r2', ['r1'], [instance('app-2', 'r2'), parked]);
    assert.match(
      said(state, { kind: 'rollback', to: parked }),
      /^undone if anything fails\n {2}admit r1\n {2}lead the proxy to r1\n {2}see it answer/,
    );
  });

  it('leaves the list alone where the kernel chooses', () => {
    assert.doesNotMatch(words(next, observed('r1', [], [instance('app-1', 'r1')])), /lead/);
  });
});

describe('the record of an image that writes none', () => {
  const written = { version: 1 as const, serving: 'r1', known: ['r0'], at: '' };

  it('names what Compose has started: the oldest, since a killed deploy may have left a younger one', () => {
    const all = [
      instance('app-0', 'r0', stopped),
      instance('p', 'r5', hidden),
      instance('app-1', 'initial'),
      instance('app-2', 'r2'),
    ];
    assert.equal(recordOf(all, null)?.serving, 'initial');
    assert.equal(recordOf([], null), null);
  });

  it('is the written one as long as anything is left of its release, running or not', () => {
    assert.equal(recordOf([instance('a', 'r2'), instance('b', 'r1', stopped)], written), written);
    assert.equal(recordOf([instance('p', 'r5', hidden)], written), written, 'nobody else serves');
  });

  it('names what Compose has started where nothing is left of the release that was written', () => {
    const now = recordOf([instance('app-1', 'initial')], written);
    assert.deepEqual([now?.serving, now?.known], ['initial', ['r1', 'r0']]);
  });
});
