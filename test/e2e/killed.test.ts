import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { execa } from 'execa';
import { ALL } from '../support/all.ts';
import { eventually } from '../support/containers.ts';
import { killAfter, survives } from '../support/killed.ts';
import { buildReleases, Project } from '../support/project.ts';
import { atRest, planOf, serving } from '../support/steps.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const [V2, V3] = ['tasuki-test:v2', 'tasuki-test:v3'];

/** After how many of a run's steps it is killed; each takes ten seconds. */
function chosen(steps: string[], [first]: string[]): number[] {
  const switched = steps.indexOf('promote') + 1;
  const counts = Array.from({ length: steps.length + 1 }, (_, count) => count);
  // What a rollback does until its switch lies in a deploy, too.
  const some = first === 'rollback' ? [switched] : [4, switched - 1, switched, steps.length];
  return ALL ? counts : counts.filter((count) => some.includes(count));
}

describe('a deployer that is killed with SIGKILL', () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2', 'v3');
    project = await Project.up('tasuki-test:v1', { hasty: true });
    await project.deployOk('--image', V2);
    await project.deployOk('--image', V3);
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  for (const args of [['--image', V2], ['rollback']]) {
    it(`after ${ALL ? 'each step' : 'some steps, and those around the switch,'} of "${args.join(' ')}" leaves one release serving and loses nothing, and the next deploy finishes`, async (t) => {
      const result = await underLoad(project, STEADY, async () => {
        const { all } = await planOf(project, args);
        assert.ok(all.includes('promote') && all.length > 5, `a plan must have been read: ${all.join(', ')}`);
        for (const count of chosen(all, args)) await survives(t, project, { args, count, next: V3 });
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result);
    });
  }

  it('a second time, while it tidies up after the first, leaves one release serving and loses nothing as well', async (t) => {
    const result = await underLoad(project, STEADY, async () => {
      for (const first of ALL ? [['--image', V2], ['rollback']] : [['--image', V2]]) {
        const toSwitch = (await planOf(project, first)).all.indexOf('promote') + 1;
        for (let count = 1, tidying = 1; count <= tidying; count++) {
          await killAfter(project, first, toSwitch);
          await atRest(project);
          const { tidy } = await planOf(project, ['--image', V2]);
          tidying = tidy.length;
          assert.ok(tidying > 0, 'there must be something to tidy up');
          await survives(t, project, { args: ['--image', V2], count, next: V3 });
        }
      }
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('after the switch, is finished by "deploy resume" without another deploy', async () => {
    const { all } = await planOf(project, ['--image', V2]);
    const { release } = await killAfter(project, ['--image', V2], all.indexOf('promote') + 1);
    await atRest(project);
    const { stdout } = await project.deployOk('resume');
    assert.match(stdout, /was killed .*: its release serves; finishing what it left/);
    const { instances, record, lock, interruption } = await project.status();
    assert.deepEqual([record?.serving, lock, interruption], [release, null, null]);
    assert.equal(instances.find((one) => one.visible)?.release, release);
    assert.deepEqual(await project.upChanges(), []);
    assert.match(
      (await project.deployOk('resume')).stdout,
      /^requests are answered$/m,
      'again nothing is left',
    );
  });

  it('(control) the check sees two releases serving when one is admitted by hand, until its session ends', async () => {
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
    await atRest(project);
  });
});
