import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import { eventually } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { atRest, follow, planOf, serving } from '../support/steps.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const [V2, V3] = ['tasuki-test:v2', 'tasuki-test:v3'];

interface Killed {
  release: string;
  /** The step that was reported last. */
  step: string;
  /** The switch may have been asked for. */
  asked: boolean;
  /** The switch had been reported. */
  switched: boolean;
  /** It was faster than the signal, and had come to its end. */
  ended: boolean;
}

/** Starts the command and kills it as soon as it has reported `count` steps done; with 0, at the start of the first. */
async function killAfter(project: Project, args: string[], count: number): Promise<Killed> {
  const deploy = project.spawnDeploy([...args, '--json']);
  const killed = { release: '', step: '', asked: false, switched: false, ended: false };
  let done = 0;
  let struck = false;
  await follow(deploy, (event) => {
    if (event.type === 'begin') killed.release = event.release;
    if (event.type === 'end') killed.ended = true;
    if (event.type !== 'step') return;
    // From the end of `confirm` on the switch may have been asked for, also when the signal was meant for a step before.
    killed.asked ||= event.id === 'promote' || (event.id === 'confirm' && event.status === 'done');
    if (event.status === 'done') {
      done++;
      killed.switched ||= event.id === 'promote';
    }
    if (struck || done < count) return;
    struck = deploy.kill('SIGKILL');
    killed.step = event.id;
  });
  const { signal, stderr } = await deploy;
  assert.ok(struck, `the run never came to its step ${count}: ${stderr}`);
  if (!killed.ended) assert.equal(signal, 'SIGKILL');
  return killed;
}

/** The next deploy says what it found, and leaves one container that serves, one that is parked, and no lock. */
async function assertFinishedByNext(project: Project, { ended }: Killed): Promise<string> {
  const { events } = await project.deployOk('--image', V3, '--json');
  const notices = events.filter((event) => event.type === 'notice').map(({ text }) => text);
  const told = notices.find((text) => text.includes('was killed'));
  // One that had come to its end may have given its lock back before the signal came.
  if (!ended) {
    assert.match(notices.join('\n'), /^took over the lock of \S+ \(pid \d+\), which is gone$/m);
    assert.match(told ?? '', /^the last run \(.*\) was killed (in|after|before)/, 'it must explain');
  }
  const { instances, record, lock, interruption } = await project.status();
  assert.deepEqual(
    instances.map((one) => `${one.visible ? 'visible' : 'hidden'} ${one.state?.phase}`).toSorted(),
    ['hidden standby', 'visible serving'],
    'one serves, one is parked',
  );
  assert.equal(instances.find((one) => one.visible)?.release, record?.serving);
  assert.deepEqual([lock, interruption], [null, null]);
  return told?.replace(/^.*was killed/, 'killed') ?? 'it had ended';
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

  /** Kills, looks, and lets the next deploy finish. */
  async function survives(t: TestContext, args: string[], count: number): Promise<void> {
    const was = (await project.status()).record?.serving;
    const start = performance.now();
    const killed = await killAfter(project, args, count);
    const { record } = await atRest(project);
    const ms = Math.round(performance.now() - start);
    const wanted = killed.switched ? [killed.release] : [was];
    if (killed.asked) wanted.push(killed.release);
    assert.ok(
      wanted.includes(record?.serving),
      `after ${killed.step} ${record?.serving} serves, not ${wanted.join(' or ')}`,
    );
    const told = await assertFinishedByNext(project, killed);
    if (count % 4 === 0) assert.deepEqual(await project.upChanges(), []); // Compose takes its time
    t.diagnostic(`${args.join(' ')}, ${count} steps done, at rest ${ms} ms after its start; told: ${told}`);
  }

  for (const args of [['--image', V2], ['rollback']]) {
    it(`after each step of "${args.join(' ')}" in turn leaves one release serving and loses nothing, and the next deploy finishes`, async (t) => {
      const result = await underLoad(project, STEADY, async () => {
        const { all } = await planOf(project, args);
        assert.ok(all.includes('promote') && all.length > 5, `a plan must have been read: ${all.join(', ')}`);
        for (let count = 0; count <= all.length; count++) await survives(t, args, count);
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result);
    });
  }

  it('a second time, while it tidies up after the first, leaves one release serving and loses nothing as well', async (t) => {
    const result = await underLoad(project, STEADY, async () => {
      for (const first of [['--image', V2], ['rollback']]) {
        const toSwitch = (await planOf(project, first)).all.indexOf('promote') + 1;
        for (let count = 1, tidying = 1; count <= tidying; count++) {
          await killAfter(project, first, toSwitch);
          await atRest(project);
          const { tidy } = await planOf(project, ['--image', V2]);
          tidying = tidy.length;
          assert.ok(tidying > 0, 'there must be something to tidy up');
          await survives(t, ['--image', V2], count);
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
