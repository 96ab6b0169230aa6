import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const WARM_UP = `
  warm-up: { paths: [/, /echo], for: 2s }`;

describe('a release that is warmed up', () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2');
    await buildFixture('home-fails');
    project = await Project.up('tasuki-test:v1', {
      edit: (text) => text.replace('\n  health: /readyz', (line) => `${WARM_UP}${line}`),
      hasty: true,
    });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  it('has answered often before its users come, tells how fast, and loses nobody', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const { events } = await project.deployOk('--image', 'tasuki-test:v2', '--json');
      const steps = events.flatMap((one) => (one.type === 'step' && one.status === 'done' ? [one] : []));
      const detail = steps.find(({ id }) => id === 'warm-up')?.detail ?? '';
      t.diagnostic(detail);
      assert.match(detail, /^\d{2,} rounds, the first in \d+ ms, the last in [\d.]+: (settled|not settled)/);
      const order = steps.map(({ id }) => id);
      assert.ok(order.indexOf('warm-up') < order.indexOf('admit'), order.join(' '));
      const { answered } = await load.counters();
      await load.until((counters) => counters.answered > answered + 300, 30_000);
    });
    assertNothingLost(result);
  });

  it('and answers with an error then never meets a user', async () => {
    const serving = await project.answering();
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const { exitCode, stderr } = await project.deploy('--image', 'tasuki-test:home-fails');
      assert.equal(exitCode, 1);
      assert.match(stderr, /answered \/ with 500 while it was warmed up/);
      assert.match(stderr, /next: .*x-deploy\.warm-up names the pages/);
    });
    assertNothingLost(result, 300);
    assert.equal(await project.answering(), serving);
  });
});
