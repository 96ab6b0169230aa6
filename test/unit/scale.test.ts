import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config } from '../../deployer/config.ts';
import { startsOf } from '../../deployer/core/headroom.ts';
import { sumOf } from '../../deployer/core/judge.ts';
import { makePlan } from '../../deployer/core/plan.ts';
import { planTidy, scaleNow } from '../../deployer/core/tidy.ts';
import { canSetScale, parseScale, scaleKeyOf, scaleOf, wantedScale } from '../../deployer/scale.ts';
import { BOOT, hidden, instance, next, observed, PLAIN, stopped, words } from '../support/plans.ts';

const three = [1, 2, 3].map((n) => instance(`app-${n}`, 'r1'));
const THREE = { now: 3, next: 3 };

describe('a release of several containers', () => {
  it('is made, proven and handed over as one, and one of the release before stays warm', () => {
    const state = observed('r1', ['r0'], [...three, instance('parked-r0', 'r0', hidden)]);
    assert.equal(
      words(next, state, true, { scale: THREE }),
      `${BOOT.replace('create a container', 'create 3 containers')}
  see the others of r9 serve
  drain r1
  park r1
  retire app-1
  retire app-2
  retire app-3
  retire parked-r0`,
    );
  });

  it('is made beside all that Compose sees, and all of the old one leave', () => {
    const state = observed('r1', [], three);
    const plan = makePlan(next, state, { ...PLAIN, scale: { now: 3, next: 2 } });
    const create = plan.reversible.find((step) => step.do === 'create');
    assert.deepEqual([create?.count, create?.scale], [2, 5]);
    assert.deepEqual(plan.forward.find((step) => step.do === 'drain')?.targets, ['app-1', 'app-2', 'app-3']);
    assert.equal(startsOf(plan), 3);
  });

  it('comes with one while it is held, and with the others when it is admitted', () => {
    const state = observed('r1', [], three);
    assert.match(
      words({ ...next, hold: true }, state, true, { scale: THREE }),
      /create a container of app:r9/,
    );
    const held = instance('held', 'r9', { ...hidden, held: 'secret' });
    const admitted = observed('r1', [], [...three, held]);
    const plan = words({ kind: 'admit', held }, admitted, true, { scale: THREE });
    assert.match(plan, /\n {2}start 3 of r9 where Compose sees them\n/);
    assert.match(plan, /\n {2}retire held$/);
  });

  it('comes back with a rollback as many as there were', () => {
    const to = instance('parked-r0', 'r0', hidden);
    const plan = words({ kind: 'rollback', to }, observed('r1', ['r0'], [...three, to]), true, {
      scale: THREE,
    });
    assert.match(plan, /\n {2}drain r1\n {2}start 3 of r0 where Compose sees them\n {2}park r1\n/);
  });
});

describe('what a killed run left of a release of several containers', () => {
  const tidy = (state: Parameters<typeof planTidy>[0], scale: number): string[] =>
    planTidy(state, scale).map(({ id, ...step }) => ('count' in step ? `${id} ${step.count}` : id));

  it('is completed, and what is too many goes, by what was written down', () => {
    assert.deepEqual(tidy(observed('r1', [], three), 3), []);
    assert.deepEqual(tidy(observed('r1', [], three.slice(1)), 3), ['seat 1']);
    assert.deepEqual(tidy(observed('r1', [], three), 1), ['retire:app-1', 'retire:app-2']);
  });

  it('stays as many as were made, and that is written down, when it was killed before it could', () => {
    const state = observed('r1', ['r0'], three, 'r0');
    assert.deepEqual(tidy(state, scaleNow(state, 1)), ['remember 3']);
    assert.equal(scaleNow(observed('r1', ['r0'], three), 1), 1);
    assert.equal(scaleNow(observed('r1', ['r0'], [], 'r0'), 2), 2);
    // Plain Compose names no release in .env: what it was told to run counts, not what happens to run.
    assert.equal(scaleNow(observed('initial', [], [instance('app-1', 'initial')], null), 3), 3);
  });

  it('counts no container that the engine starts again and again, and keeps the one that serves', () => {
    const loops = { status: 'restarting' };
    const all = [instance('app-1', 'r1'), instance('app-2', 'r1', loops), instance('app-3', 'r1', loops)];
    assert.deepEqual(tidy(observed('r1', [], all), 1), ['retire:app-2', 'retire:app-3']);
    const back = [instance('parked-r0', 'r0', hidden), instance('app-4', 'r0', loops)];
    assert.deepEqual(tidy(observed('r0', [], back), 1), ['seat 1', 'retire:parked-r0', 'retire:app-4']);
  });

  it('replaces those that do not run', () => {
    const state = observed('r1', [], [instance('app-1', 'r1', stopped), instance('app-2', 'r1')]);
    assert.deepEqual(tidy(state, 2), ['seat 1', 'retire:app-1']);
  });
});

describe('how many containers a release has', () => {
  const config = (scale: number, variable = true): Config =>
    ({
      settings: { service: 'app' },
      scale,
      canSetScale: variable,
      scaleKey: 'scale',
      files: ['compose.yaml'],
    }) as unknown as Config;

  it('is what the Compose file says, by either of its names, and one when it says nothing', () => {
    assert.equal(scaleOf({}, {}), 1);
    assert.equal(scaleOf({ scale: 2 }, {}), 2);
    assert.equal(scaleOf({ deploy: { replicas: 4 } }, {}), 4);
    const variable = { scale: '${TASUKI_SCALE:-1}' };
    assert.deepEqual([scaleOf(variable, {}), scaleOf(variable, { TASUKI_SCALE: '3' })], [1, 3]);
    const nested = { scale: '${A:-${TASUKI_SCALE:-2}}' };
    assert.deepEqual([scaleOf(nested, {}), scaleOf(nested, { TASUKI_SCALE: '4' })], [2, 4]);
    assert.equal(scaleOf({ scale: '${TASUKI_SCALE:?say how many}' }, { TASUKI_SCALE: '3' }), 3);
    assert.equal(scaleOf(nested, { A: '$A$TASUKI_SCALE' }), null, 'what a variable holds is taken as it is');
    for (const bad of ['x', '0', '1.5', '65'])
      assert.equal(scaleOf(variable, { TASUKI_SCALE: bad }), null, bad);
    assert.deepEqual(
      [canSetScale(variable), canSetScale({ scale: 3 }), canSetScale({})],
      [true, false, false],
    );
  });

  it('is what --scale says, for the service that is handed over', () => {
    assert.deepEqual(parseScale('app=3'), { service: 'app', count: 3 });
    for (const bad of ['3', 'app', 'app=0', 'app=65', 'app=-1', 'app=1.5', '=2', 'app=2=3'])
      assert.throws(() => parseScale(bad), /--scale takes a service and how many/, bad);
    assert.equal(wantedScale({ service: 'app', count: 3 }, config(1)), 3);
    assert.equal(wantedScale(undefined, config(2)), undefined);
    assert.throws(() => wantedScale({ service: 'worker', count: 3 }, config(1)), /handed over is "app"/);
  });

  it('is to be written where the file has it, with the number that it has', () => {
    assert.equal(scaleKeyOf({ deploy: { replicas: 3 } }), 'deploy.replicas');
    assert.equal(scaleKeyOf({ scale: 3, deploy: {} }), 'scale');
    assert.equal(scaleKeyOf({}), 'scale');
    const fixed = { ...config(3, false), scaleKey: 'deploy.replicas' as const };
    assert.throws(
      () => wantedScale({ service: 'app', count: 4 }, fixed),
      (error: { details: { next: string } }) =>
        error.details.next.endsWith('  deploy.replicas: ${TASUKI_SCALE:-3}'),
    );
  });

  it('is refused where docker compose up would undo it', () => {
    assert.throws(
      () => wantedScale({ service: 'app', count: 3 }, config(1, false)),
      (error: { details: { next: string } }) => error.details.next.endsWith('  scale: ${TASUKI_SCALE:-1}'),
    );
    assert.equal(wantedScale({ service: 'app', count: 2 }, config(2, false)), 2);
  });
});

describe('the figures of several instances', () => {
  it('are added up, whichever has seen the slowest answer', () => {
    const sum = sumOf([
      { answered: 3, errors: 1, times: [1, 2] },
      { answered: 4, errors: 0, times: [0, 1, 3] },
    ]);
    assert.deepEqual(sum, { answered: 7, errors: 1, times: [1, 3, 3] });
  });
});
