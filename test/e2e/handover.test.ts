import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ALL } from '../support/all.ts';
import { handOver, median } from '../support/handovers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { assertNothingLost, SATURATING, underLoad } from '../support/under-load.ts';

const HANDOVERS = ALL ? 8 : 4;
const MODES = [
  ['through the proxy as shipped', '64', 'undici', undefined],
  ['with a connection to the app per request', '0', 'socket', undefined],
  ['by the name of a socket, with a connection per request', '0', 'socket', 'unix'],
  ['by the name of a socket', '64', 'undici', 'unix'],
] as const;

for (const [mode, keepAlive, client, strategy] of ALL ? MODES : MODES.slice(0, 2)) {
  describe(`deploys and rollbacks under saturating load, ${mode}`, () => {
    let project: Project;
    let images: string[];
    before(async () => {
      images = await buildReleases('v2', 'v3');
      const variables = { UPSTREAM_KEEPALIVE: keepAlive };
      project = await Project.up('tasuki-test:v1', { variables, strategy });
    });
    after(async () => await project?.[Symbol.asyncDispose]());

    it('lose no request, do none twice, and leave Compose nothing to do', async (t) => {
      const result = await underLoad(project, { ...SATURATING, keepAliveClient: client }, async (load) => {
        await load.until((counters) => counters.sent > 1000, 30_000);
        const times = await handOver(project, load, images, HANDOVERS, async () => {
          assert.deepEqual(await project.upChanges(), []);
        });
        t.diagnostic(
          `serving after: deploy ${median(times.deploys)} ms, rollback ${median(times.rollbacks)} ms (medians)`,
        );
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result, 5000);
      const releases = Object.keys(result.report.byRelease);
      assert.ok(
        releases.length > HANDOVERS / 2,
        `every handover must bring another release before users, seen: ${releases.join(', ')}`,
      );
    });
  });
}
