import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ALL } from '../support/all.ts';
import { docker } from '../support/containers.ts';
import {
  buildForeign,
  FOREIGN,
  foreignUp,
  inService,
  releasesSeen,
  underForeignLoad,
} from '../support/foreign.ts';
import type { Load } from '../support/load/index.ts';
import type { Project } from '../support/project.ts';
import { assertNothingLost } from '../support/under-load.ts';

/** Images that know nothing of tasuki, each on a stack of its own: test/fixtures/foreign. */

/** The one that does not end gracefully, or all five, whose packages take their time. */
const KINDS = ALL ? FOREIGN : (['go'] as const);

for (const kind of KINDS) {
  describe(`an image that knows nothing of tasuki (${kind})`, () => {
    let project: Project;
    let images: string[];
    before(async () => {
      images = [await buildForeign(kind, 'v1'), await buildForeign(kind, 'v2')];
      // Python's server is killed at the end of it each time.
      project = await foreignUp(images[0] ?? '', { variables: { STOP_GRACE: '2s' } });
    });
    after(async () => await project?.[Symbol.asyncDispose]());

    it('is handed over by deploys and a rollback without a lost request, and Compose has nothing to do', async (t) => {
      const [v1 = '', v2 = ''] = images;
      const result = await underForeignLoad(project, kind, async (load) => {
        await load.until((counters) => counters.answered > 200, 30_000);
        for (const args of [['--image', v2], ['--image', v1], ['rollback']]) {
          await load.mark(args.join(' '));
          const { events } = await project.deployOk(...args, '--json');
          assert.ok(
            events.some((event) => event.type === 'serving'),
            'it must see its release answer',
          );
        }
        assert.deepEqual(await project.upChanges(), []);
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result, 500, kind === 'nginx' ? 0 : 100);
      assert.equal(
        releasesSeen(result.report).length,
        3,
        'each handover must bring another release to users',
      );
    });

    if (kind === 'go') {
      it('(control) loses slow answers when the proxy is switched and the old one stopped without waiting for them', async (t) => {
        // Longer than a switch takes on the slowest machine.
        const long = { slowMs: 10_000, slowMix: { 'slow-response': 1 } };
        const handOver = async (load: Load): Promise<void> => {
          await load.until((counters) => counters.answered > 200, 30_000);
          const all = (await project.status()).instances;
          const old = all.find((one) => one.visible);
          const parked = all.find((one) => !one.visible);
          assert.ok(old && parked);
          const put = `echo ${parked.release} > /run/tasuki/upstream`;
          await inService(project, 'pod', ['sh', '-c', put]);
          await inService(project, 'proxy', ['/etc/proxy-common/upstream.sh', 'switch']);
          await docker(['stop', '-t', '2', old.id]);
        };
        const result = await underForeignLoad(project, kind, handOver, long);
        t.diagnostic(result.judgement.summary);
        assert.ok(
          result.report.byKind['slow-response']!.failed > 0,
          'what the old one still answers must be lost',
        );
      });

      it('(control) loses requests when Compose puts the new image in its place', async (t) => {
        const [v1 = '', v2 = ''] = images;
        await using plain = await foreignUp(v1);
        const result = await underForeignLoad(plain, kind, async (load) => {
          await load.until((counters) => counters.answered > 200, 30_000);
          await plain.setVariable('TASUKI_IMAGE', v2);
          await plain.compose('up', '-d', '--no-build');
        });
        t.diagnostic(result.judgement.summary);
        assert.equal(result.judgement.ok, false);
        assert.ok(result.report.failed > 0);
      });
    }
  });
}
