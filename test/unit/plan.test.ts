import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makePlan, type Step } from '../../deployer/core/plan.ts';
import type { Instance } from '../../deployer/engine/instance.ts';
import { BOOT, hidden, instance, next, observed, PLAIN, stopped, words } from '../support/plans.ts';

describe('the plan of a deploy', () => {
  it('parks the release that served and retires its container and the one parked before', () => {
    const state = observed('r2', ['r1'], [instance('app-2', 'r2'), instance('parked-r1', 'r1', hidden)]);
    assert.equal(words(next, state), `${BOOT}\n  drain r2\n  park r2\n  retire app-2\n  retire parked-r1`);
  });

  it('keeps nothing warm with --no-park', () => {
    const state = observed('r2', ['r1'], [instance('app-2', 'r2'), instance('parked-r1', 'r1', hidden)]);
    assert.equal(words(next, state, false), `${BOOT}\n  drain r2\n  retire app-2\n  retire parked-r1`);
  });

  it('ends with a watch when there is a release to compare with, and a rollback does not', () => {
    const state = observed('r2', ['r1'], [instance('app-2', 'r2'), instance('parked-r1', 'r1', hidden)]);
    assert.match(
      words(next, state, true, { watchMs: 5000 }),
      /\nand back if it does worse\n {2}watch r9 for 5\.0 s$/,
    );
    const to = instance('parked-r1', 'r1', hidden);
    assert.doesNotMatch(words({ kind: 'rollback', to }, state, true, { watchMs: 5000 }), /watch/);
    assert.doesNotMatch(words(next, observed(null, [], []), true, { watchMs: 5000 }), /watch/);
  });

  it('is admitted in shares with a canary, each compared, and evenly before it is confirmed', () => {
    const state = observed('r2', ['r1'], [instance('app-2', 'r2'), instance('parked-r1', 'r1', hidden)]);
    const shares = words(next, state, true, { canary: { percents: [5, 25], ms: 60_000 } });
    assert.match(
      shares,
      /stays up\n {2}share out 5 %.*\n {2}admit r9\n {2}compare 5 %.*\n {2}share out 25 %.*\n {2}compare 25 %.*\n {2}share new connections evenly\n {2}see it answer/,
    );
    assert.doesNotMatch(
      words(next, observed(null, [], []), true, { canary: { percents: [5], ms: 1 } }),
      /share|compare/,
    );
  });

  it('has nobody to drain when nothing has served yet', () => {
    assert.equal(words(next, observed(null, [], [])), BOOT);
  });

  it('leaves the stopped container of the serving release alone until another serves', () => {
    const state = observed('r1', [], [instance('app-1', 'r1', stopped)]);
    assert.equal(words(next, state), `${BOOT}\n  retire app-1`);
  });

  it('warms a release up before its pages are looked at, where pages are named for it', () => {
    const state = observed('r1', [], [instance('app-1', 'r1')]);
    assert.match(
      words(next, state, true, { warmUp: { paths: ['/'], ms: 3000 } }),
      /\n {2}wait until .*\n {2}warm it up for at most 3\.0 s\n {2}ask it for its pages/,
    );
  });

  it('migrates the database before the release is started, when the image has a command for it', () => {
    const state = observed('r1', [], [instance('app-1', 'r1')]);
    assert.match(
      words(next, state, true, { migrate: ['migrate'] }),
      /\n {2}create a container of app:r9\n {2}bring the database to its schema\n {2}start r/,
    );
    const to = instance('parked-r1', 'r1', hidden);
    assert.doesNotMatch(words({ kind: 'rollback', to }, state, true, { migrate: ['migrate'] }), /database/);
  });

  it('pulls or builds the image first when that is needed', () => {
    const state = observed('r1', [], [instance('app-1', 'r1')]);
    assert.match(
      words({ ...next, pull: true }, state),
      /^undone if anything fails\n {2}pull image app:r9\n {2}create/,
    );
    assert.match(
      words({ ...next, build: true }, state),
      /^undone if anything fails\n {2}build image app:r9\n {2}create/,
    );
  });

  it('runs pre-deploy before anything else that can be undone, and post-admit right before the switch', () => {
    const state = observed('r1', [], [instance('app-1', 'r1')]);
    const said = words({ ...next, build: true }, state, true, { hooks: ['pre-deploy', 'post-admit'] });
    assert.match(said, /^undone if anything fails\n {2}run the hook pre-deploy\n {2}build image app:r9\n/);
    assert.match(said, /see it answer through the proxy\n {2}run the hook post-admit\nthe switch/);
    assert.doesNotMatch(words(next, state), /hook/);
  });

  it('first removes what a deploy killed before its switch has left', () => {
    const left = instance('app-2', 'r2', { running: false, status: 'created' });
    const state = observed('r1', [], [instance('app-1', 'r1'), left]);
    assert.equal(
      words(next, state),
      `tidy up\n  retire app-2\n${BOOT}\n  drain r1\n  park r1\n  retire app-1`,
    );
  });

  it('first corrects .env and retires the old container when a deploy was killed after its switch', () => {
    const state = observed('r2', ['r1'], [instance('app-1', 'r1'), instance('app-2', 'r2')], 'r1');
    const tidy = 'tidy up\n  write app:r2 to .env\n  retire app-1';
    assert.equal(words(next, state), `${tidy}\n${BOOT}\n  drain r2\n  park r2\n  retire app-2`);
  });

  it('first seats the serving release where Compose sees it when a rollback was killed before it could', () => {
    const state = observed(
      'r1',
      ['r2'],
      [instance('app-2', 'r2'), instance('parked-r1', 'r1', hidden)],
      'r1',
    );
    assert.match(
      words(next, state),
      /^tidy up\n {2}start r1 where Compose sees it\n {2}retire app-2\n {2}retire parked-r1\n/,
    );
  });
});

describe('the plan of a rollback', () => {
  it('admits the parked release, seats it, and parks the one that served', () => {
    const parked = instance('parked-r1', 'r1', hidden);
    const state = observed('r2', ['r1'], [instance('app-2', 'r2'), parked]);
    assert.equal(
      words({ kind: 'rollback', to: parked }, state),
      `undone if anything fails
  admit r1
  see it answer through the proxy
the switch
  promote r1
after it
  write app:r1 to .env
  drain r2
  start r1 where Compose sees it
  park r2
  retire app-2
  retire parked-r1`,
    );
  });
});

/** A small generator with a seed (mulberry32, public domain), so that a failing case can be run again. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

let made = 0;

/** What the containers are after the steps, as far as steps make and remove containers. */
function applied(instances: Instance[], steps: Step[]): Instance[] {
  let now = [...instances];
  for (const step of steps) {
    made += 1;
    if (step.do === 'create' || step.do === 'seat') now.push(instance(`new-${made}`, step.release));
    if (step.do === 'park') now.push(instance(`twin-${made}`, step.release, hidden));
    if (step.do === 'retire') now = now.filter(({ id }) => id !== step.target);
  }
  return now;
}
describe('over 500 states, whatever earlier runs have left,', () => {
  for (let seed = 1; seed <= 500; seed++) {
    const below = generator(seed);
    const releases = ['r1', 'r2', 'r3'];
    const count = below(5);
    const instances = Array.from({ length: count }, (_, n) =>
      instance(`c${n}`, releases[below(3)] ?? '', {
        visible: below(3) > 0,
        ...(below(4) === 0 ? stopped : {}),
      }),
    );
    const state = observed(
      releases[below(3)] ?? null,
      ['r1', 'r2', 'r3'],
      instances,
      releases[below(3)] ?? null,
    );
    const plan = makePlan(next, state, PLAIN);

    it(`a deploy ends with one container for Compose and at most one parked, and never stops the one that serves (seed ${seed})`, () => {
      const serving = (all: Instance[]): boolean =>
        all.some((one) => one.running && one.release === state.record?.serving);
      const tidied = applied(instances, plan.tidy);
      assert.equal(serving(tidied), serving(instances), 'tidying keeps what serves');
      // As the deployer does: look again after tidying.
      const then = makePlan(
        next,
        { ...state, instances: tidied, remembered: state.record?.serving ?? null },
        PLAIN,
      );
      assert.deepEqual(then.tidy, [], 'tidying once is enough');
      assert.ok(![...then.reversible, then.pivot].some((step) => step?.do === 'retire'));
      const after = applied(tidied, [...then.reversible, ...then.forward]);
      const visible = after.filter((one) => one.visible);
      assert.deepEqual(
        visible.map(({ release }) => release),
        ['r9'],
      );
      assert.ok(after.length - visible.length <= 1, 'at most one is parked');
    });
  }
});
