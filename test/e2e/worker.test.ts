import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../support/containers.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';

/** As it is shipped, but not watched after each deploy. */
const SHIPPED = readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8').replace(
  '\nx-deploy:',
  (line) => `${line}\n  watch: 0s #`,
);

/** The service `worker` of the whole stack, which each deploy takes along. */
describe('the worker of the stack', { timeout: 400_000 }, () => {
  let project: Project;
  let image: string;

  before(async () => {
    [image = ''] = await buildReleases('v2');
    await buildFixture('worker-fails');
    project = await Project.up('tasuki-test:v1', { edit: () => SHIPPED, hasty: true });
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

  const running = async (): Promise<string[]> =>
    (await project.containers('worker'))
      .filter(({ state }) => state === 'running')
      .map(({ image: of }) => of);

  it('is put on the release that a deploy brings, the new one first, and every job is done', async () => {
    const deployed = new AbortController();
    const seen: number[] = [];
    const watching = (async () => {
      while (!deployed.signal.aborted) seen.push((await running()).length);
    })();
    const working = (async () => {
      while (!deployed.signal.aborted) await batch();
    })();
    await project.deployOk('--image', image);
    deployed.abort();
    await Promise.all([watching, working]);
    assert.equal(Math.min(...seen), 1, 'never none');
    assert.equal(Math.max(...seen), 2, 'for a moment both');
    assert.deepEqual(await running(), [image]);
    assert.deepEqual(await project.upChanges(), []);
    const { exitCode, stdout } = await project.deploy('doctor');
    assert.equal(exitCode, 0, stdout);
    await batch();
  });

  it('goes back with a rollback', async () => {
    await project.deployOk('rollback');
    assert.deepEqual(await running(), ['tasuki-test:v1']);
    assert.deepEqual(await project.upChanges(), []);
    await batch();
  });

  it('that does not work leaves the one before at work, and the next deploy puts it right', async () => {
    const { exitCode, stderr } = await project.deploy('--image', 'tasuki-test:worker-fails');
    assert.equal(exitCode, 3, stderr);
    assert.match(
      stderr,
      /the release serves, and its worker does not work: \S+ (ended by itself \(exit code 5\)|ends by itself)/,
    );
    assert.match(stderr, /no queue today/, 'its own words');
    assert.deepEqual(await running(), ['tasuki-test:v1']);
    await batch();
    await project.deployOk('--image', image);
    assert.deepEqual(await running(), [image]);
  });

  it('(control) without it a batch stays undone', async () => {
    await project.compose('stop', 'worker');
    const { id } = await ask('/batches', { method: 'POST' });
    await assert.rejects(
      eventually('the batch is done', async () => (await ask(`/batches/${id}`)).state === 'completed', 3000),
    );
  });
});
