import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BAD as ALL_BAD } from '../fixtures/bad-releases.ts';
import { docker, eventually } from '../support/containers.ts';
import { handOver, median } from '../support/handovers.ts';
import { survives } from '../support/killed.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { atRest, planOf } from '../support/steps.ts';
import { undone } from '../support/undone.ts';
import { assertNothingLost, SATURATING, STEADY, underLoad } from '../support/under-load.ts';

const [V2, V3] = ['tasuki-test:v2', 'tasuki-test:v3'];
const BACK_MS = 30_000;
const HANDOVERS = 4;
const BAD = ALL_BAD.filter(({ kind }) => ['exits-at-boot', 'never-healthy', 'stuck'].includes(kind));

describe('where each release has an address of its own', () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2', 'v3');
    await Promise.all(BAD.map(({ kind }) => buildFixture(kind)));
    project = await Project.up('tasuki-test:v1', { strategy: 'upstream' });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  it('deploys and rollbacks lose no request, do none twice, and leave Compose nothing to do', async (t) => {
    const result = await underLoad(project, SATURATING, async (load) => {
      await load.until((counters) => counters.sent > 1000, BACK_MS);
      const times = await handOver(project, load, [V2, V3], HANDOVERS, async () => {
        assert.deepEqual(await project.upChanges(), []);
      });
      t.diagnostic(
        `serving after: deploy ${median(times.deploys)} ms, rollback ${median(times.rollbacks)} ms (medians)`,
      );
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result, 3000);
    assert.ok(Object.keys(result.report.byRelease).length >= HANDOVERS, 'each must have met users');
  });

  it('a bad release is undone and costs no user a request', async (t) => {
    const result = await undone(project, BAD);
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result, 600);
  });

  it('a deployer that is killed around admission and switch leaves one release serving and loses nothing', async (t) => {
    const result = await underLoad(project, STEADY, async () => {
      for (const args of [['--image', V2], ['rollback']]) {
        const { all } = await planOf(project, args);
        // Before the proxy is led to it, on loan, and behind the switch.
        const counts = [all.indexOf('route'), all.indexOf('route') + 1, all.indexOf('promote') + 1];
        assert.ok(counts[0]! > 0 && counts[2]! > counts[1]!, all.join(', '));
        for (const count of counts) await survives(t, project, { args, count, next: V3 });
      }
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('the release that serves, killed whole, is stood in for until it is back, at whatever address', async () => {
    const { record, instances } = await atRest(project);
    const seat = instances.find(({ visible, release }) => visible && release === record?.serving)!;
    process.kill(Number(await docker(['inspect', '--format', '{{.State.Pid}}', seat.id])), 'SIGKILL');
    await eventually('somebody answers', async () => (await project.answering()) !== null);
    await eventually('it serves again', async () => (await project.answering()) === record!.serving, BACK_MS);
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
