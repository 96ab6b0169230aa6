import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ALL } from '../support/all.ts';
import { createInterface } from 'node:readline';
import { docker } from '../support/containers.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

describe('a release of several containers', { timeout: 600_000 }, () => {
  let project: Project;
  let v2: string;
  let v3: string;
  let crashes: string;
  before(async () => {
    [v2 = '', v3 = ''] = await buildReleases('v2', 'v3');
    crashes = await buildFixture('crashes-when-admitted');
    project = await Project.up('tasuki-test:v1', { hasty: true });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** So many containers serve the same release, where Compose sees them; one at most is parked, and `up -d` changes nothing. */
  async function assertServing(count: number): Promise<string> {
    const { instances, record, lock, interruption } = await project.status();
    const words = instances.map(({ visible, release, state }) => {
      const which = release === record?.serving ? 'the one that serves' : 'another';
      return `${visible ? 'visible' : 'hidden'} ${state?.phase}, ${which}`;
    });
    const seats = Array.from({ length: count }, () => 'visible serving, the one that serves');
    const parked = words.filter((one) => one === 'hidden standby, another').slice(0, 1);
    assert.deepEqual(words.toSorted(), [...parked, ...seats]);
    assert.deepEqual([lock, interruption], [null, null]);
    assert.deepEqual(await project.upChanges(), []);
    return record?.serving ?? '';
  }

  /** The containers that have written a log line of a request since `since`: those that users met. */
  async function met(since: number): Promise<string[]> {
    const all = await project.containers();
    const logs = await Promise.all(
      all.map(async ({ id, name }) => ({
        name,
        log: await docker(['logs', '--since', (since / 1000).toFixed(3), id]),
      })),
    );
    return logs.filter(({ log }) => log.includes('"status":200')).map(({ name }) => name);
  }

  it('is handed over as one, takes the place of one, is gone back from, and becomes one again: nothing is lost', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      await project.deployOk('--image', v2, '--scale', 'app=3');
      await assertServing(3);
      assert.match(await project.read('.env'), /^TASUKI_SCALE=3$/m);
      const { answered } = await load.counters();
      const since = Date.now();
      await load.until((counters) => counters.answered > answered + 600, 30_000);
      assert.equal((await met(since)).length, 3, 'each of them has users');

      const second = await project.deployOk('--image', v3, '--canary', '20%', '--for', '2s');
      t.diagnostic(
        second.stdout
          .split('\n')
          .filter((line) => /20 %|drain|join/.test(line))
          .join('\n'),
      );
      const release = await assertServing(3);
      await project.deployOk('rollback');
      assert.notEqual(await assertServing(3), release);
      await project.deployOk('--image', v3, '--scale', 'app=1');
      await assertServing(1);
      assert.match(await project.read('.env'), /^TASUKI_SCALE=1$/m);
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('goes as one when it is no good: the old ones serve as before', async (t) => {
    await project.deployOk('--image', v2, '--scale', 'app=2');
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const release = await assertServing(2);
      const { exitCode, stdout } = await project.deploy('--image', crashes, '--scale', 'app=3');
      assert.equal(exitCode, 1, stdout);
      assert.equal(await assertServing(2), release);
      assert.match(await project.read('.env'), /^TASUKI_SCALE=2$/m);
    });
    t.diagnostic(result.judgement.summary);
    const { duplicated, missing } = result.judgement;
    assert.deepEqual([duplicated, missing, result.kernel], [[], [], []]);
  });

  for (const step of ALL ? ['confirm', 'remember', 'drain'] : ['remember']) {
    it(`is whole after the next command when the deploy was killed in step "${step}": nothing is lost`, async (t) => {
      const former = (await project.status()).record?.serving;
      const result = await underLoad(project, STEADY, async (load) => {
        await load.until(({ answered }) => answered > 300, 30_000);
        const deploy = project.spawnDeploy(['--image', v3, '--scale', 'app=3', '--json']);
        for await (const line of createInterface({ input: deploy.stdout }))
          if (line.includes(`"id":"${step}"`) && line.includes('"status":"start"')) deploy.kill('SIGKILL');
        await deploy;
        const { stdout } = await project.deployOk('resume');
        t.diagnostic(stdout);
        const switched = step !== 'confirm';
        assert.equal((await assertServing(switched ? 3 : 2)) === former, !switched);
        await project.deployOk('--image', v2, '--scale', 'app=2');
        await assertServing(2);
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result);
    });
  }
});
