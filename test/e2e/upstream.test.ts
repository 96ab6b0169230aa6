import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { BAD as ALL_BAD } from '../fixtures/bad-releases.ts';
import { ALL } from '../support/all.ts';
import { docker, eventually } from '../support/containers.ts';
import { handOver, median } from '../support/handovers.ts';
import { survives } from '../support/killed.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { PROXIES } from '../support/proxies.ts';
import { atRest, follow, planOf } from '../support/steps.ts';
import { undone } from '../support/undone.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const [V2, V3] = ['tasuki-test:v2', 'tasuki-test:v3'];
const BACK_MS = 30_000;
const BAD = ALL_BAD.filter(({ kind }) => ['exits-at-boot', 'never-healthy', 'stuck'].includes(kind));

for (const proxy of PROXIES) {
  const HANDOVERS = ALL ? 8 : proxy === 'h2o' ? 2 : 4; // the deployer's part is the same
  describe(`where each release has an address of its own, behind ${proxy},`, () => {
    let project: Project;
    before(async () => {
      await buildReleases('v2', 'v3');
      await Promise.all(BAD.map(({ kind }) => buildFixture(kind)));
      project = await Project.up('tasuki-test:v1', { strategy: 'upstream', proxy });
    });
    after(async () => await project?.[Symbol.asyncDispose]());

    it('deploys and rollbacks lose no request, do none twice, and leave Compose nothing to do', async (t) => {
      const result = await underLoad(project, STEADY, async (load) => {
        await load.until((counters) => counters.sent > 1000, BACK_MS);
        const times = await handOver(project, load, [V2, V3], HANDOVERS, async () => {
          assert.deepEqual(await project.upChanges(), []);
        });
        t.diagnostic(
          `serving after: deploy ${median(times.deploys)} ms, rollback ${median(times.rollbacks)} ms (medians)`,
        );
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result, 1000);
      assert.ok(Object.keys(result.report.byRelease).length >= HANDOVERS, 'each must have met users');
    });

    it('a client whose connection rests is answered on it after the switch, and one that goes on resting sees it closed', async () => {
      const signal = AbortSignal.timeout(BACK_MS);
      const connect = () => net.connect(project.port, '127.0.0.1').setEncoding('utf8');
      const get = async (socket: net.Socket): Promise<string> => {
        socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
        return String((await once(socket, 'data', { signal }))[0]);
      };
      // They come just before the switch, since nginx closes at once what has rested for `keepalive_min_timeout` by then, and
      // the new release may boot for longer. `route` alone is not it: the first deploy of a project pins the old one with it.
      let back: net.Socket | undefined;
      let closed: Promise<unknown> | undefined;
      const answers: Promise<string>[] = [];
      const deploy = project.spawnDeploy(['--image', V3, '--json']);
      await follow(deploy, (event) => {
        if (event.type !== 'step' || event.status !== 'done') return;
        if (event.id === 'admit') {
          const resting = connect();
          back = connect();
          closed = once(resting, 'end', { signal });
          answers.push(get(back), get(resting));
        } else if (event.id === 'route' && back) answers.push(get(back));
      });
      assert.equal((await deploy).exitCode, 0);
      assert.equal(answers.length, 3);
      for (const answer of answers) assert.match(await answer, /^HTTP\/1.1 200 /);
      await closed;
      back?.destroy();
    });

    it('the release that serves, killed whole, is stood in for until it is back, at whatever address', async () => {
      const { record, instances } = await atRest(project);
      const seat = instances.find(({ visible, release }) => visible && release === record?.serving)!;
      process.kill(Number(await docker(['inspect', '--format', '{{.State.Pid}}', seat.id])), 'SIGKILL');
      await eventually('somebody answers', async () => (await project.answering()) !== null);
      await eventually(
        'it serves again',
        async () => (await project.answering()) === record!.serving,
        BACK_MS,
      );
    });

    if (proxy === 'h2o' && !ALL) return; // what comes now is the deployer's, whatever the proxy

    it('a bad release is undone and costs no user a request', async (t) => {
      const result = await undone(project, BAD);
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result, 600);
    });

    it('a deployer that is killed around admission and switch leaves one release serving and loses nothing', async (t) => {
      const result = await underLoad(project, STEADY, async () => {
        for (const args of ALL ? [['--image', V2], ['rollback']] : [['--image', V2]]) {
          const { all } = await planOf(project, args);
          // Before the proxy is led to it, on loan, and behind the switch.
          const counts = [all.indexOf('route'), all.indexOf('route') + 1, all.indexOf('promote') + 1];
          assert.ok(counts[0]! > 0 && counts[2]! > counts[1]!, all.join(', '));
          for (const count of ALL ? counts : [counts[1]!])
            await survives(t, project, { args, count, next: V3 });
        }
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result);
    });

    it('"docker compose down" and "up" leave nothing in the way', async () => {
      const { record } = await project.status();
      await project.compose('down', '--remove-orphans', '-t', '5');
      await project.compose('up', '-d', '--wait', '--no-build');
      const { release } = await project.untilAnswering(BACK_MS);
      assert.equal(release, record?.serving);
      assert.deepEqual(await project.upChanges(), []);
    });
  });
}
