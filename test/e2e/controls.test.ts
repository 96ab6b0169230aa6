import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ALL } from '../support/all.ts';
import { buildReleases, Project } from '../support/project.ts';
import { assertNothingLost, SATURATING, underLoad, type LoadResult } from '../support/under-load.ts';

/**
 * The controls of handover.test.ts: with one protection taken away the same measurement must report losses. A control
 * that sees none fails, because then the proof proves nothing.
 */

const HANDOVERS = 6;
const TRIES = 4;
const HARD = { ...SATURATING, keepAlive: 32, fresh: 32, slow: 0, keepAliveClient: 'socket' as const };

describe('the loss prover reports losses', () => {
  let images: string[];
  before(async () => {
    images = await buildReleases('v2', 'v3');
  });

  /** So many handovers, or fewer when a request fails before. */
  async function handOvers(project: Project, count: number): Promise<LoadResult> {
    return await underLoad(project, HARD, async (load) => {
      await load.until((counters) => counters.sent > 1000, 30_000);
      for (let n = 0; n < count && (await load.counters()).failed === 0; n++) {
        await project.deployOk(...(n % 3 === 2 ? ['rollback'] : ['--image', images[n % 3] ?? '']));
      }
    });
  }

  it('without listener migration (tcp_migrate_req=0), and none with it, a connection to the app per request', async (t) => {
    const env = { UPSTREAM_KEEPALIVE: '0' };
    const off = (text: string): string =>
      text.replace('net.ipv4.tcp_migrate_req: 1', 'net.ipv4.tcp_migrate_req: 0');
    {
      await using project = await Project.up('tasuki-test:v1', { variables: env, edit: off });
      const result = await handOvers(project, TRIES * HANDOVERS);
      t.diagnostic(`without: ${result.judgement.summary}`);
      assert.equal(result.judgement.ok, false, `no loss in ${TRIES * HANDOVERS} handovers without migration`);
    }
    await using project = await Project.up('tasuki-test:v1', { variables: env });
    const result = await handOvers(project, ALL ? HANDOVERS : 2);
    t.diagnostic(`with migration: ${result.judgement.summary}`);
    assertNothingLost(result);
  });

  it('when Compose recreates the app', async (t) => {
    await using project = await Project.up('tasuki-test:v1');
    const result = await underLoad(project, SATURATING, async (load) => {
      await load.until((counters) => counters.sent > 1000, 30_000);
      await project.compose('up', '-d', '--no-build', '--force-recreate', '--no-deps', 'app');
      await project.untilAnswering(30_000);
    });
    t.diagnostic(result.judgement.summary);
    assert.equal(result.judgement.ok, false, 'a recreate under load must lose requests');
    assert.ok(result.report.failed > 0);
  });
});
