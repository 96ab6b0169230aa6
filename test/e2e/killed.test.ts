import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/containers.ts';
import { buildReleases, Project, type Status } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const REST_MS = 20_000;

/** Releases with an instance on the public port. */
function serving({ instances }: Status): string[] {
  return [...new Set(instances.filter((one) => one.state?.phase === 'serving').map((one) => one.release))];
}

/** The ids of the plan's steps, without the container's name that a retire step carries. */
async function stepsOf(project: Project, args: string[]): Promise<string[]> {
  const { stdout } = await project.deployOk(...args, '--dry-run', '--json');
  const plan = JSON.parse(stdout) as Record<'tidy' | 'reversible' | 'forward', { id: string }[]> & {
    pivot: { id: string };
  };
  const steps = [...plan.tidy, ...plan.reversible, plan.pivot, ...plan.forward];
  return [...new Set(steps.map(({ id }) => id.replace(/:.*/, '')))];
}

/** Starts `deploy` and kills it with SIGKILL as soon as it reports the step. */
async function killAt(project: Project, args: string[], step: string, edge: 'start' | 'done'): Promise<void> {
  const deploy = project.spawnDeploy([...args, '--json']);
  let text = '';
  let killed = false;
  deploy.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const seen = new RegExp(`"id":"${step}[":].*"status":"${edge}"`).test(text);
    if (seen && !killed) killed = deploy.kill('SIGKILL');
  });
  const { signal } = await deploy;
  assert.ok(killed, `the run never came to the ${edge} of ${step}:\n${text}`);
  assert.equal(signal, 'SIGKILL');
}

async function atRest(project: Project): Promise<Status> {
  return await eventually(
    'exactly one release serves, and the record names it',
    async () => {
      const status = await project.status();
      const releases = serving(status);
      const moving = status.instances.some(
        (one) => one.state?.phase === 'draining' || one.state?.phase === 'booting',
      );
      return !moving && releases.length === 1 && releases[0] === status.record?.serving ? status : null;
    },
    REST_MS,
  );
}

describe('a deployer that is killed with SIGKILL', () => {
  let project: Project;
  let images: string[];
  before(async () => {
    images = await buildReleases('v2', 'v3');
    project = await Project.up('tasuki-test:v1');
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  for (const edge of ['start', 'done'] as const) {
    it(`at the ${edge} of any step leaves one release serving, loses nothing, and the next deploy finishes it`, async (t) => {
      const [v2 = '', v3 = ''] = images;
      const result = await underLoad(project, STEADY, async () => {
        await project.deployOk('--image', v2);
        await project.deployOk('--image', v3);
        for (const args of [['--image', v2], ['rollback']]) {
          for (const step of await stepsOf(project, args)) {
            await killAt(project, args, step, edge);
            await atRest(project);
            const next = await project.deployOk('--image', v3);
            const told = next.stdout.split('\n').filter((line) => line.includes('was killed'));
            t.diagnostic(
              `${args[0]} killed at ${edge} of ${step}: ${told[0]?.replace(/^.*was killed/, 'killed') ?? ''}`,
            );
            assert.equal(told.length, 1, `the next run must say what it found:\n${next.stdout}`);
            const { instances, record, lock, interruption } = await project.status();
            assert.equal(instances.length, 2, 'one serves, one is parked');
            assert.equal(instances.find((one) => one.visible)?.release, record?.serving);
            assert.deepEqual([lock, interruption], [null, null]);
            assert.deepEqual(await project.upChanges(), []);
          }
        }
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result);
    });
  }

  it('(control) the check sees two releases serving when two are admitted by hand, until the loan ends', async () => {
    const { execa } = await import('execa');
    const parked = (await project.status()).instances.find((one) => !one.visible);
    assert.ok(parked);
    const session = execa('docker', ['exec', '-i', parked.id, 'node', 'ctl', 'session'], {
      timeout: 60_000,
      reject: false,
    });
    session.stdin.write('{"id":1,"do":"admit"}\n');
    await eventually('two releases serve', async () => serving(await project.status()).length === 2);
    session.kill('SIGKILL');
    await eventually('the one on loan has left', async () => serving(await project.status()).length === 1);
    await session;
  });
});
