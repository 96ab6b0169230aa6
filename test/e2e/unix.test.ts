import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import type { Finding } from '../../deployer/doctor/check.ts';
import { BAD_ON_A_SOCKET } from '../fixtures/bad-releases.ts';
import { ALL } from '../support/all.ts';
import { docker, eventually } from '../support/containers.ts';
import { survives } from '../support/killed.ts';
import type { Load } from '../support/load/index.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { atRest, planOf } from '../support/steps.ts';
import { undone } from '../support/undone.ts';
import { assertNothingLost, BRISK, STEADY, underLoad, type LoadResult } from '../support/under-load.ts';

const [V2, V3] = ['tasuki-test:v2', 'tasuki-test:v3'];
const BACK_MS = 30_000;
const KILLS = 2;

/** Process 1 of a container, as the host numbers it: `docker kill` would count as a stop by hand. */
async function processOf(container: string): Promise<number> {
  return Number(await docker(['inspect', '--format', '{{.State.Pid}}', container]));
}

describe('where releases are handed over by the name of a socket', () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2', 'v3');
    const kinds = [...BAD_ON_A_SOCKET.map(({ kind }) => kind), 'crashes-when-admitted'];
    await Promise.all(kinds.map((kind) => buildFixture(kind)));
    project = await Project.up('tasuki-test:v1', { hasty: true });
    await project.deployOk('--image', V2);
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  it('a running stack comes to it by "docker compose up -d" and a deploy; no release goes back to one on the port', async () => {
    const { serving } = (await project.status()).record!;
    await project.setVariable('COMPOSE_FILE', 'compose.yaml:proxy/strategies/unix.yaml');
    const early = await project.deploy('--image', V3);
    assert.equal(early.exitCode, 1, 'the one that serves is still on the port');
    assert.match(early.stderr, /would listen on unix:\S+, the old one listens on 127\.0\.0\.1:3000/);
    assert.match(
      early.stderr,
      /next: {2}put what serves on the strategy of compose\.yaml first: docker compose up -d/,
    );
    await project.compose('up', '-d', '--wait', '--no-build');
    assert.equal((await project.untilAnswering(BACK_MS)).release, serving);
    assert.match((await project.deploy('doctor')).stdout, /fail +instances listen on different addresses/);
    const back = await project.deploy('rollback');
    assert.match(back.stderr, /would listen on 127\.0\.0\.1:3000, the old one listens on unix:/);
    await project.deployOk('--image', V3);
    await project.deployOk('--image', V2);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('a bad release is undone and costs no user a request', async (t) => {
    const result = await undone(project, BAD_ON_A_SOCKET);
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result, 600);
  });

  it('a deployer that is killed around admission and switch leaves one release serving and loses nothing', async (t) => {
    const result = await underLoad(project, STEADY, async () => {
      for (const args of ALL ? [['--image', V2], ['rollback']] : [['--image', V2]]) {
        const { all } = await planOf(project, args);
        // The name is taken in the first of them and the record written in the last; what lies around is as with a port.
        const [from, to] = [all.indexOf('admit') + 1, all.indexOf('promote') + 1];
        assert.ok(from >= 1 && to > from, all.join(', '));
        for (let count = from; count <= to; count++) await survives(t, project, { args, count, next: V3 });
      }
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('one that crashes when it is admitted is undone, and the one before has the name again', async () => {
    const { serving } = (await project.status()).record!;
    const run = await project.deploy('--image', 'tasuki-test:crashes-when-admitted');
    assert.equal(run.exitCode, 1, run.stderr);
    assert.match(run.stderr, /the new release (ended by itself|did not stay up)/);
    assert.match(run.stderr, /fatal: out of luck/);
    const answers = await Promise.all(Array.from({ length: 20 }, async () => await project.answering()));
    assert.deepEqual([...new Set(answers)], [serving]);
  });

  /** Under load, kills an instance again and again; only what had been sent to it may fail. */
  async function takesLittleAlong(
    t: TestContext,
    kill: (load: Load) => Promise<void>,
    may = /^(POST http-502|\w+ truncated)$/,
  ): Promise<LoadResult> {
    const result = await underLoad(project, BRISK, async (load) => {
      for (let n = 0; n < KILLS; n++) {
        const { answered } = await load.counters();
        await load.until((counters) => counters.answered > answered + 300, BACK_MS);
        await kill(load);
      }
    });
    const { report, judgement } = result;
    t.diagnostic(`${KILLS} killed: ${judgement.summary}`);
    for (const one of report.failures) assert.match(`${one.method} ${one.error}`, may, JSON.stringify(one));
    const others = Object.keys(report.byError).filter((kind) => !['http-502', 'truncated'].includes(kind));
    assert.deepEqual([others, report.failed < 150], [[], true], judgement.summary);
    assert.deepEqual([judgement.duplicated, judgement.missing], [[], []]);
    return result;
  }

  it('one that is killed while it has the name on loan takes only along what it had accepted', async (t) => {
    await project.deployOk('--image', V2);
    const { record, instances } = await atRest(project);
    const parked = instances.find(({ visible }) => !visible)!;
    const { report } = await takesLittleAlong(
      t,
      async (load) => {
        await eventually('it is warm', async () =>
          (await project.status()).instances.some((one) => !one.visible && one.state?.phase === 'standby'),
        );
        const session = execa('docker', ['exec', '-i', parked.id, 'node', 'ctl', 'session'], {
          timeout: 60_000,
          reject: false,
        });
        session.stdin.write('{"id":1,"do":"admit"}\n');
        await eventually('it answers', async () => (await project.answering()) === parked.release);
        const { answered } = await load.counters();
        await load.until((counters) => counters.answered > answered + 100, BACK_MS);
        process.kill(await processOf(parked.id), 'SIGKILL');
        await session;
        await eventually('the other answers', async () => (await project.answering()) === record!.serving);
        // Until the other has noticed, the name leads nowhere, and nobody stands in: that one has it.
      },
      /^\w+ (http-502|truncated)$/,
    );
    assert.ok((report.byRelease[parked.release]?.answered ?? 0) > 50, 'it must have had the name');
    assert.equal((await atRest(project)).record?.serving, record?.serving);
  });

  it('the release that serves, killed whole, is stood in for until it has taken its name again', async (t) => {
    const { record } = await atRest(project);
    const { report } = await takesLittleAlong(t, async () => {
      const { instances } = await project.status();
      const seat = instances.find(({ visible, release }) => visible && release === record?.serving)!;
      process.kill(await processOf(seat.id), 'SIGKILL');
      await eventually('it serves again', async () => (await atRest(project)) !== null, BACK_MS);
    });
    assert.ok(Object.keys(report.byRelease).length > 1, 'the parked one must have answered');
  });

  it('a container that is restarted by hand gives its connections to the stand-in, and takes the name again', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, BACK_MS);
      await project.compose('restart', 'app');
      await atRest(project);
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('"docker compose down" and "up" leave nothing in the way, and the doctor finds nothing amiss', async (t) => {
    assert.deepEqual(await project.upChanges(), []);
    await project.compose('down', '--remove-orphans', '-t', '5');
    await project.compose('up', '-d', '--wait', '--no-build');
    await project.untilAnswering(BACK_MS);
    const { stdout } = await project.deploy('doctor', '--json');
    const findings = stdout.split('\n').map((line) => JSON.parse(line) as Finding & { type: string });
    const found = (id: string): string | undefined => findings.find((one) => one.id === id)?.level;
    assert.deepEqual([found('socket'), found('addresses'), found('serving')], ['ok', 'ok', 'ok'], stdout);
    assert.equal(found('migration'), undefined, 'listener migration is not needed');
    t.diagnostic(findings.find((one) => one.id === 'socket')?.found ?? '');
  });

  it('shares of the connections are refused before anything is done', async () => {
    for (const flags of [
      ['--canary', '10%'],
      ['--scale', 'app=2'],
    ]) {
      const run = await project.deploy('--image', V3, ...flags);
      assert.equal(run.exitCode, 2, run.stderr);
      assert.match(run.stderr, /does not go with x-deploy\.strategy: unix/);
      assert.match(run.stderr, /or use x-deploy\.strategy: reuseport, which can/);
    }
  });
});
