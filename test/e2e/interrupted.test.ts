import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { docker, eventually } from '../support/containers.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const DEPLOY = fileURLToPath(new URL('../../bin/deploy', import.meta.url));
const SEEN_MS = 60_000;
const AT_ONCE_MS = 2000;
const STANDBY = /"id":"standby".*"status":"start"/;

describe('a deploy that is interrupted, or meets another', () => {
  let project: Project;
  let good: string[];
  let sick: string;
  before(async () => {
    good = await buildReleases('v2', 'v3');
    sick = await buildFixture('never-healthy');
    project = await Project.up('tasuki-test:v1', { hasty: true });
    await project.deployOk('--image', good[0] ?? '');
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** Starts a deploy; resolves once its events have the words. */
  async function startUntil(args: string[], words: RegExp) {
    const deploy = project.spawnDeploy([...args, '--json']);
    let [text, hasEnded] = ['', false];
    deploy.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    void deploy.then(() => (hasEnded = true));
    const sees = async (wanted: RegExp): Promise<void> => {
      const isOver = async (): Promise<boolean> => wanted.test(text) || hasEnded;
      await eventually('its words, or its end', isOver, SEEN_MS).catch(() => {});
      assert.match(text, wanted);
    };
    await sees(words);
    return { deploy, sees };
  }

  /** All that could be left over: containers with their state, hidden ones and the lock too, and `.env`. */
  async function scene(): Promise<string[]> {
    const filter = `name=^/${project.name}-`;
    const list = await docker(['ps', '-a', '--filter', filter, '--format', '{{.Names}} {{.ID}} {{.State}}']);
    return [...list.split('\n').toSorted(), await project.read('.env')];
  }

  /** One serves where Compose sees it, one is parked where it does not, there is no lock, and `up -d` changes nothing. */
  async function assertTidy(): Promise<void> {
    const { instances, record, lock, interruption } = await project.status();
    const one = instances.map(({ visible, state }) => `${visible ? 'visible' : 'hidden'} ${state?.phase}`);
    assert.deepEqual(one.toSorted(), ['hidden standby', 'visible serving']);
    assert.equal(await project.answering(), record?.serving);
    assert.deepEqual([lock, interruption], [null, null]);
    assert.deepEqual(await project.upChanges(), []);
  }

  it('undoes all it did on the first Ctrl-C, whatever the step before the switch, and ends with 130', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      let [were, release] = [await scene(), await project.answering()];
      for (const step of ['create', 'start', 'standby', 'admit', 'confirm']) {
        const image = step === 'standby' ? sick : (good[1] ?? '');
        const { deploy } = await startUntil(
          ['--image', image],
          new RegExp(`"id":"${step}".*"status":"start"`),
        );
        deploy.kill('SIGINT');
        const { exitCode, stdout } = await deploy;
        // Admitting and confirming take milliseconds: the signal may find the switch made, and then the run finishes.
        if (exitCode === 0 && /the switch is made, so this run finishes/.test(stdout)) {
          assert.ok(['admit', 'confirm'].includes(step), `too late for ${step}`);
          await assertTidy();
          [were, release] = [await scene(), await project.answering()];
          continue;
        }
        assert.equal(exitCode, 130, stdout);
        assert.match(stdout, /interrupted: undoing \(again: stop at once/);
        assert.match(stdout, /"status":"undone"/);
        assert.match(stdout, /"type":"end","command":"deploy","outcome":"interrupted"/);
        assert.deepEqual(await scene(), were, `after Ctrl-C in ${step}`);
        assert.equal(await project.answering(), release);
        assert.deepEqual(await project.upChanges(), []);
      }
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('stops at once on the second Ctrl-C and leaves what it made, and the next deploy clears that away', async (t) => {
    const were = await scene();
    const { deploy, sees } = await startUntil(['--image', sick], STANDBY);
    const start = performance.now();
    deploy.kill('SIGINT');
    await sees(/interrupted: undoing/);
    deploy.kill('SIGINT');
    assert.equal((await deploy).exitCode, 130);
    const ms = performance.now() - start;
    t.diagnostic(`ended ${Math.round(ms)} ms after the first Ctrl-C`);
    assert.ok(ms < AT_ONCE_MS, `took ${ms} ms`);
    assert.notDeepEqual(await scene(), were, 'it must leave things');
    const { stdout } = await project.deployOk('--image', good[1] ?? '');
    assert.match(
      stdout,
      new RegExp(`^took over the lock of .* \\(pid ${deploy.pid}\\), which is gone$`, 'm'),
    );
    assert.match(stdout, /^the last run \(deploy of .*\) was killed in step "standby": .* cleaning up$/m);
    await assertTidy();
  });

  it('finishes when Ctrl-C comes after the switch, and says that there is no way back', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const release = await project.answering();
      const { deploy } = await startUntil(['--image', good[0] ?? ''], /"id":"promote".*"status":"done"/);
      deploy.kill('SIGINT');
      const { exitCode, stdout } = await deploy;
      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, /the switch is made, so this run finishes/);
      assert.doesNotMatch(stdout, /undo/);
      assert.notEqual(await project.answering(), release);
      await assertTidy();
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('of three that start together exactly one proceeds, and the others end with 75', async () => {
    const runs = await Promise.all([0, 1, 0].map((n) => project.deploy('--image', good[n] ?? '', '--json')));
    assert.deepEqual(
      runs.map(({ exitCode }) => exitCode).toSorted((a, b) => a - b),
      [0, 75, 75],
    );
    const release = runs.find(({ exitCode }) => exitCode === 0)?.events.find(({ type }) => type === 'begin');
    assert.equal(await project.answering(), release?.type === 'begin' ? release.release : '');
    await assertTidy();
  });

  it('beside one at work ends with 75, says who holds the lock and what to do, and changes nothing', async () => {
    const were = await scene();
    const { deploy } = await startUntil(['--image', sick, '--timeout', '2m'], STANDBY);
    await eventually('the release boots', async () => (await scene()).length === were.length + 2);
    const during = await scene();
    for (const args of [['--image', good[0] ?? ''], ['rollback'], ['prune'], ['unlock']]) {
      const { exitCode, stderr } = await project.deploy(...args);
      assert.equal(exitCode, 75, stderr);
      assert.match(
        stderr,
        new RegExp(`^error: .*\\S+@\\S+.*pid ${deploy.pid}\\b`, 'm'),
        'who holds the lock',
      );
      assert.match(stderr, /^ {2}next: {2}wait for it .*deploy unlock/m, 'what to do');
      assert.deepEqual(await scene(), during);
    }
    deploy.kill('SIGINT');
    assert.equal((await deploy).exitCode, 130);
    assert.deepEqual(await scene(), were);
  });

  it('leaves a lock when it is killed, which `deploy unlock` removes, and only that', async () => {
    const { deploy } = await startUntil(['--image', sick], STANDBY);
    deploy.kill('SIGKILL');
    await deploy;
    const left = (await scene()).filter((line) => !line.startsWith(`${project.name}-deploy-lock `));
    const unlock = await project.deployOk('unlock');
    assert.match(unlock.stdout, new RegExp(`^removed the lock of \\S+ \\(pid ${deploy.pid}\\)$`, 'm'));
    assert.deepEqual(await scene(), left);
    assert.equal((await project.deployOk('unlock')).stdout, 'no lock is held');
    const { stdout } = await project.deployOk('--image', good[1] ?? '');
    assert.doesNotMatch(stdout, /took over the lock/);
    assert.match(stdout, /was killed in step "standby"/);
    await assertTidy();
  });

  it('leaves a lock that the next takes over, with a message, even if nobody has waited for the dead process', async () => {
    const words = [DEPLOY, '--image', sick, '--json'];
    // `sleep` takes the place of the shell and never waits for its child, which stays a zombie once it is killed.
    const parent = execa('sh', ['-c', '"$0" "$@" & exec sleep 120', ...words], {
      cwd: project.folder,
      env: { TASUKI_STATE_DIR: join(project.folder, 'state') },
      reject: false,
      stdin: 'ignore',
    });
    try {
      let text = '';
      parent.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await eventually('it comes to the standby', async () => STANDBY.test(text), SEEN_MS);
      const { owner } = (await project.status()).lock as { owner: { pid: number } };
      process.kill(owner.pid, 'SIGKILL');
      const { stdout } = await project.deployOk('--image', good[0] ?? '');
      assert.match(
        stdout,
        new RegExp(`^took over the lock of .* \\(pid ${owner.pid}\\), which is gone$`, 'm'),
      );
      await assertTidy();
    } finally {
      parent.kill('SIGKILL');
      await parent;
    }
  });
});
