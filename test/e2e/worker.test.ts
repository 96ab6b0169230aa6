import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';

/** The service `worker` of the whole stack, beside deploys that are not its business. */
describe('the worker of the stack', { timeout: 400_000 }, () => {
  let project: Project;
  let image: string;

  before(async () => {
    [image = ''] = await buildReleases('v2');
    project = await Project.up('tasuki-test:v1');
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  async function inspect<T>(format: string): Promise<T> {
    const [worker] = await project.containers('worker');
    return JSON.parse(await docker(['inspect', '--format', `{{json ${format}}}`, worker?.id ?? ''])) as T;
  }

  async function ask(path: string, init?: RequestInit): Promise<{ id: string; state: string }> {
    const response = await fetch(`${project.url}${path}`, { ...init, signal: AbortSignal.timeout(10_000) });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return (await response.json()) as { id: string; state: string };
  }

  /** A request starts a batch; answers when the worker has done all of it. */
  async function batch(): Promise<void> {
    const { id } = await ask('/batches', { method: 'POST' });
    await eventually('the batch is done', async () => (await ask(`/batches/${id}`)).state === 'completed');
  }

  it('does what requests leave, and is healthy, bounded and read-only', async () => {
    await batch();
    assert.equal(await inspect('.State.Health.Status'), 'healthy');
    const host = await inspect<Record<string, unknown>>('.HostConfig');
    assert.equal(host.ReadonlyRootfs, true);
    assert.deepEqual(host.CapDrop, ['ALL']);
    assert.ok(Number(host.Memory) > 0 && Number(host.PidsLimit) > 0);
    assert.equal(await inspect('.Config.User'), 'node');
  });

  it('stays through a deploy, which it does not confuse, and works for the new release', async () => {
    const [former] = await project.containers('worker');
    await project.deployOk('--image', image);
    await batch();
    assert.deepEqual(await project.upChanges(), []);
    const [now, ...more] = await project.containers('worker');
    assert.deepEqual([now?.id, now?.image, more], [former?.id, 'tasuki-test:v1', []]);
    const { record, instances } = await project.status();
    assert.ok(instances.some(({ release }) => release === record?.serving));
    assert.ok(instances.every(({ id }) => id !== former?.id));
    const { exitCode, stdout } = await project.deploy('doctor');
    assert.equal(exitCode, 0, stdout);
  });

  it('takes another image when it is told to, and nothing else changes', async () => {
    const [app] = (await project.containers()).filter(({ state }) => state === 'running');
    await project.compose('stop', 'worker');
    assert.equal(await inspect('.State.ExitCode'), 0);
    await project.setVariable('WORKER_IMAGE', image);
    await project.compose('up', '-d', '--no-build', '--wait', 'worker');
    assert.equal((await project.containers('worker'))[0]?.image, image);
    await batch();
    assert.ok((await project.containers()).some(({ id, state }) => id === app?.id && state === 'running'));
    assert.deepEqual(await project.upChanges(), []);
  });

  it('(control) without it a batch stays undone', async () => {
    await project.compose('stop', 'worker');
    const { id } = await ask('/batches', { method: 'POST' });
    await assert.rejects(
      eventually('the batch is done', async () => (await ask(`/batches/${id}`)).state === 'completed', 3000),
    );
  });
});
