import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../../support/containers.ts';
import { engineInUseBy, restartEngine } from '../../support/engine.ts';
import { buildReleases, Project, type Status } from '../../support/project.ts';

const BACK_MS = 60_000;

function phases({ instances }: Status): string[] {
  return instances.map((one) => `${one.release} ${one.state?.phase}`).toSorted();
}

describe('the stack comes back by itself with the release that served', () => {
  let project: Project;
  let release: string;
  let rest: string[];
  before(async () => {
    const [v2 = ''] = await buildReleases('v2');
    project = await Project.up('tasuki-test:v1');
    await project.deployOk('--image', v2);
    release = (await project.answering()) ?? '';
    rest = phases(await project.status());
    assert.deepEqual(rest, [`${release} serving`, 'initial standby'].toSorted());
    assert.deepEqual(await project.upChanges(), []);
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** What the engine has not started again; the reason when the stack stays silent or another release serves. */
  async function notRunning(): Promise<string> {
    const services = ['pod', 'proxy', 'app', 'mysql', 'redis'];
    const all = (await Promise.all(services.map((service) => project.containers(service)))).flat();
    const stopped = all.filter(({ state }) => state !== 'running');
    return `not running: ${stopped.map(({ name, status }) => `${name} (${status})`).join(', ') || 'none'}`;
  }

  /** Waits for the first answer, then for the same phases as before. */
  async function comesBack(): Promise<string> {
    const start = performance.now();
    // The parked one may answer before it: it stands in.
    const first = await project.untilAnswering(BACK_MS).catch(async (error: Error) => {
      throw new Error(`${error.message}; ${await notRunning()}`, { cause: error });
    });
    await eventually(
      'the release that served answers',
      async () => (await project.answering()) === release,
      BACK_MS,
    ).catch(async (error: Error) => {
      throw new Error(`${await project.answering()} answers; ${await notRunning()}`, { cause: error });
    });
    const ms = Math.round(performance.now() - start);
    await eventually(
      'the serving release serves and the parked one is parked',
      async () => JSON.stringify(phases(await project.status())) === JSON.stringify(rest),
      BACK_MS,
    );
    assert.equal(await project.answering(), release);
    assert.deepEqual(await project.upChanges(), []);
    return `${ms} ms (somebody after ${first.ms} ms)`;
  }

  it('when the process of the pod is killed and the others are left in a dead namespace', async (t) => {
    const [pod] = await project.containers('pod');
    const pid = Number(await docker(['inspect', '--format', '{{.State.Pid}}', pod?.id ?? '']));
    process.kill(pid, 'SIGKILL'); // `docker kill` would count as a stop by hand, and Docker would not restart it
    await eventually('the old namespace answers no more', async () => (await project.answering()) === null);
    t.diagnostic(`answered again after ${await comesBack()}`);
  });

  it('when the engine is stopped and started, and can be deployed to again', async (t) => {
    const inUse = await engineInUseBy(project.name);
    if (inUse) return t.skip(inUse);
    await restartEngine({ containersGoOn: false });
    t.diagnostic(`answered after ${await comesBack()}, from when the engine was back`);
    await project.deployOk('--image', 'tasuki-test:v2');
    assert.notEqual(await project.answering(), release);
    assert.deepEqual(await project.upChanges(), []);
  });
});
