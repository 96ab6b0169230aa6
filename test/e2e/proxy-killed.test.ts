import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ALL } from '../support/all.ts';
import { eventually } from '../support/containers.ts';
import { buildNextProxy } from '../support/next-proxy.ts';
import { buildReleases, Project } from '../support/project.ts';
import { follow, planOf } from '../support/steps.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const EACH = ALL ? 1 : 3;

/** A handover of the proxy whose deployer is killed, or told to stop. */
describe('a handover of the proxy that is interrupted', () => {
  let project: Project;
  let images: string[];
  before(async () => {
    await buildReleases();
    images = [await buildNextProxy(), 'nginx:1.30'];
    project = await Project.up('tasuki-test:v1', { hasty: true });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** Starts a handover to the other image and sends the signal as soon as `count` steps are done; 0: in the first. */
  async function strike(image: string, signal: 'SIGKILL' | 'SIGINT', count: number) {
    const deploy = project.spawnDeploy(['--service', 'proxy', '--image', image, '--json']);
    const was = { step: '', ended: false };
    let done = 0;
    let struck = false;
    await follow(deploy, (event) => {
      if (event.type === 'end') was.ended = true;
      if (event.type !== 'step') return;
      if (event.status === 'done') done++;
      if (struck || done < count) return;
      struck = deploy.kill(signal);
      was.step = event.id;
    });
    const { exitCode } = await deploy;
    assert.ok(struck, `it never came to step ${count}`);
    return { ...was, exitCode };
  }

  /** The image that does not serve now. */
  async function other(): Promise<string> {
    const [one] = await project.containers('proxy');
    return images.find((image) => image !== one?.image) ?? '';
  }

  /** One proxy runs, of the image that `.env` names, and Compose has nothing to do. */
  async function assertTidy(): Promise<void> {
    const all = await project.containers('proxy');
    assert.equal(all.length, 1, JSON.stringify(all));
    assert.equal(all[0]?.state, 'running');
    const [, named = 'nginx:1.30'] = /^PROXY_IMAGE=(.*)$/m.exec(await project.read('.env')) ?? [];
    assert.equal(all[0]?.image, named);
    assert.deepEqual(await project.upChanges(), []);
    assert.ok(await project.answering());
  }

  it(`by SIGKILL, after ${ALL ? 'each step' : 'every third step'} in turn, leaves a proxy serving and loses nothing, and the next command tidies up`, async (t) => {
    const result = await underLoad(project, STEADY, async () => {
      const { all } = await planOf(project, ['--service', 'proxy', '--image', await other()]);
      assert.ok(all.includes('leave') && all.length > 6, `a plan must have been read: ${all.join(', ')}`);
      for (let count = 0; count <= all.length; count += EACH) {
        const { step, ended } = await strike(await other(), 'SIGKILL', count);
        const left = await project.containers('proxy');
        const next = [['resume'], ['--service', 'proxy'], ['prune']][(count / EACH) % 3] ?? [];
        const { stdout } = await project.deployOk(...next);
        if (!ended) assert.match(stdout, /took over the lock|was killed/);
        await assertTidy();
        t.diagnostic(`killed at ${step}, which left ${left.length}; deploy ${next.join(' ')} tidied up`);
      }
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('by Ctrl-C before the switch undoes all, and behind it finishes', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const { all } = await planOf(project, ['--service', 'proxy', '--image', await other()]);
      const were = await project.containers('proxy');
      const image = await other();
      for (const step of ['test', 'confirm']) {
        const { exitCode } = await strike(image, 'SIGINT', all.indexOf(step));
        assert.equal(exitCode, 130, step);
        assert.deepEqual(
          (await project.containers('proxy')).map(({ id }) => id),
          were.map(({ id }) => id),
        );
        await assertTidy();
      }
      const { exitCode } = await strike(image, 'SIGINT', all.indexOf('leave') + 1);
      assert.equal(exitCode, 0);
      assert.equal((await project.containers('proxy'))[0]?.image, image);
      await assertTidy();
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('is told by `deploy status` while two proxies run, and the last one that answers is never ended', async () => {
    const [one] = await project.containers('proxy');
    await project.compose('up', '-d', '--no-build', '--no-recreate', '--scale', 'proxy=2', 'proxy');
    await eventually('two run', async () => (await project.containers('proxy')).length === 2);
    assert.match((await project.deployOk('status')).stdout, /2 proxies run; next: deploy resume/);
    await project.deployOk('resume');
    assert.deepEqual(
      (await project.containers('proxy')).map(({ id }) => id),
      [one?.id],
    );
    await assertTidy();
  });
});
