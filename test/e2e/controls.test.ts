import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { buildReleases, Project } from '../support/project.ts';
import { SATURATING, underLoad } from '../support/under-load.ts';

/**
 * The controls of handover.test.ts: with one protection taken away the same measurement must report losses. A control
 * that sees none fails, because then the proof proves nothing.
 */

/** At most; it ends with the first loss. */
const HANDOVERS = 24;
const HARD = { ...SATURATING, keepAlive: 32, fresh: 32, slow: 0, keepAliveClient: 'socket' as const };

describe('the loss prover reports losses', () => {
  let images: string[];
  before(async () => {
    images = await buildReleases('v2', 'v3');
  });

  /** The counterpart, with the migration: handover.test.ts. */
  it('without listener migration (tcp_migrate_req=0), a connection to the app per request', async (t) => {
    await using project = await Project.up('tasuki-test:v1', {
      variables: { UPSTREAM_KEEPALIVE: '0' },
      edit: (text) => text.replace('net.ipv4.tcp_migrate_req: 1', 'net.ipv4.tcp_migrate_req: 0'),
    });
    const result = await underLoad(project, HARD, async (load) => {
      await load.until((counters) => counters.sent > 1000, 30_000);
      for (let n = 0; n < HANDOVERS && (await load.counters()).failed === 0; n++)
        await project.deployOk(...(n % 3 === 2 ? ['rollback'] : ['--image', images[n % 3] ?? '']));
    });
    t.diagnostic(result.judgement.summary);
    assert.equal(result.judgement.ok, false, `no loss in ${HANDOVERS} handovers without migration`);
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
