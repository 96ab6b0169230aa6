import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { killTheServing } from '../support/kill-serving.ts';
import { buildReleases, Project } from '../support/project.ts';

const KILLS = 3;

describe('while the release that serves is dead', () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2');
    project = await Project.up('tasuki-test:v1');
    await project.deployOk('--image', 'tasuki-test:v2');
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  it('the parked one answers until it is back, and only what had been sent to the dead one can fail', async (t) => {
    const { report, judgement } = await killTheServing(project, KILLS);
    t.diagnostic(judgement.summary);
    t.diagnostic(`the parked release answered ${report.byRelease['initial']?.answered ?? 0}`);
    assert.ok((report.byRelease['initial']?.answered ?? 0) > 50, 'it must have answered');
    // A GET goes to the next. Of an update that was sent nobody knows whether it was done, so nobody sends it again; and an answer
    // that had begun cannot be begun anew.
    for (const one of report.failures)
      assert.match(`${one.method} ${one.error}`, /^(POST http-502|\w+ truncated)$/, JSON.stringify(one));
    assert.ok(report.failed < 50, 'all failures are among those looked at');
    // The kernel's counters are not held to zero here: a half-open connection of a listener that was killed has nowhere to go.
    assert.deepEqual([judgement.duplicated, judgement.missing], [[], []]);
  });

  it('(control) without a parked one everybody waits for the engine, and is told so', async (t) => {
    await project.deployOk('--image', 'tasuki-test:v1', '--no-park');
    const { report, judgement } = await killTheServing(project, KILLS);
    t.diagnostic(judgement.summary);
    assert.ok((report.byKind['home']?.failed ?? 0) > 10, 'pages must have failed');
    assert.deepEqual([judgement.duplicated, judgement.missing], [[], []]);
  });
});
