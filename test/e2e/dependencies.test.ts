import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { docker } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { STEADY, underLoad, type LoadResult } from '../support/under-load.ts';

/** A statement's deadline is 9 s, a wait for a connection too: nobody may wait for much longer than both. */
const LONGEST_MS = 22_000;
const ENOUGH = 300;

/** What the app depends on goes away under load, each in turn, and comes back. */
describe('a dependency that goes away under load', () => {
  let project: Project;
  before(async () => {
    await buildReleases();
    project = await Project.up('tasuki-test:v1');
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** Takes a service away by one docker command and gives it back by another. */
  async function without(service: string, [away, back]: readonly [string, string]): Promise<LoadResult> {
    const id = (await project.containers(service))[0]?.id ?? '';
    const [app] = await project.containers('app');
    const result = await underLoad(project, { ...STEADY, slow: 0 }, async (load) => {
      await load.until(({ answered }) => answered > ENOUGH, 30_000);
      await docker([away, id]);
      const gone = await load.counters();
      await load.until(({ sent }) => sent > gone.sent + ENOUGH, 120_000);
      await docker([back, id]);
      // Well again: for a while nothing fails any more.
      let last = await load.counters();
      await load.until((now) => {
        if (now.failed > last.failed) last = now;
        return now.answered > last.answered + ENOUGH;
      }, 120_000);
    });
    assert.equal((await project.containers('app'))[0]?.id, app?.id, 'the app has not been restarted');
    return result;
  }

  /** Nobody waited for long, nothing was done twice, and what was acknowledged is there. */
  function assertHonest(t: TestContext, { report, judgement }: LoadResult): void {
    t.diagnostic(judgement.summary);
    assert.ok(report.latency.max < LONGEST_MS, `somebody waited ${report.latency.max} ms`);
    assert.deepEqual([judgement.duplicated, judgement.missing], [[], []]);
  }

  for (const [service, how] of [
    ['cache', ['stop', 'start']],
    ['cache', ['pause', 'unpause']],
    ['redis', ['stop', 'start']],
    ['redis', ['pause', 'unpause']],
  ] as const) {
    it(`costs no visitor a request when it is ${service} (docker ${how[0]})`, async (t) => {
      const result = await without(service, how);
      assertHonest(t, result);
      assert.equal(result.report.failed, 0, JSON.stringify(result.report.byError));
    });
  }

  for (const how of [
    ['stop', 'start'],
    ['pause', 'unpause'],
  ] as const) {
    it(`is answered with 503 and nothing else when it is mysql, until it is back (docker ${how[0]})`, async (t) => {
      const result = await without('mysql', how);
      assertHonest(t, result);
      const errors = Object.keys(result.report.byError);
      assert.deepEqual(errors, ['http-503'], 'pages without their database must fail, and say so in time');
    });
  }
});
