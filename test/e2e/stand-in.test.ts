import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { serving } from '../support/steps.ts';
import { STEADY, underLoad, type LoadResult } from '../support/under-load.ts';

const KILLS = 3;
const BACK_MS = 30_000;

/** Process 1 of the instance that serves, as the host numbers it. */
async function servingProcess(project: Project): Promise<number> {
  const { instances, record } = await project.status();
  const one = instances.find(({ visible, release }) => visible && release === record?.serving);
  return Number(await docker(['inspect', '--format', '{{.State.Pid}}', one?.id ?? '']));
}

/** Kills the whole instance that serves, so many times, under load; each time waits until it serves again. */
async function killTheServing(project: Project): Promise<LoadResult> {
  return await underLoad(project, STEADY, async (load) => {
    for (let n = 0; n < KILLS; n++) {
      const { answered } = await load.counters();
      await load.until((counters) => counters.answered > answered + 300, BACK_MS);
      process.kill(await servingProcess(project), 'SIGKILL'); // `docker kill` would count as a stop by hand
      const record = (await project.status()).record?.serving ?? '';
      await eventually(
        'it serves again',
        async () => serving(await project.status()).includes(record),
        BACK_MS,
      );
    }
  });
}

describe('while the release that serves is dead', () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2');
    project = await Project.up('tasuki-test:v1');
    await project.deployOk('--image', 'tasuki-test:v2');
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  it('the parked one answers until it is back, and only what had been sent to the dead one can fail', async (t) => {
    const { report, judgement } = await killTheServing(project);
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
    const { report, judgement } = await killTheServing(project);
    t.diagnostic(judgement.summary);
    assert.ok((report.byKind['home']?.failed ?? 0) > 10, 'pages must have failed');
    assert.deepEqual([judgement.duplicated, judgement.missing], [[], []]);
  });
});
