import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ALL } from '../support/all.ts';
import { buildForeign, foreignUp, underForeignLoad } from '../support/foreign.ts';
import { survives } from '../support/killed.ts';
import type { Project } from '../support/project.ts';
import { planOf } from '../support/steps.ts';
import { assertNothingLost } from '../support/under-load.ts';

/** The image ends at once on SIGTERM: whatever is with it then is lost. */

const KIND = 'go';

/** After how many steps it is killed: at the moments at which the proxy is led elsewhere and the old container goes, or each. */
function chosen(steps: string[], [first]: string[]): number[] {
  const ids = first === 'rollback' ? ['route'] : ['route', 'promote'];
  const moments = ids.map((id) => steps.indexOf(id) + 1);
  const counts = Array.from({ length: steps.length + 1 }, (_, count) => count);
  return ALL ? counts : counts.filter((count) => moments.includes(count));
}

describe('a deployer of an image that knows nothing of tasuki', () => {
  let project: Project;
  let v1: string;
  let v2: string;
  before(async () => {
    [v1, v2] = [await buildForeign(KIND, 'v1'), await buildForeign(KIND, 'v2')];
    project = await foreignUp(v1);
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  for (const args of [['--image', 'v2'], ['rollback']]) {
    it(`that is killed after ${ALL ? 'each step' : 'some steps'} of "${args.join(' ')}" loses nothing, and the next deploy finishes`, async (t) => {
      const words = args.map((word) => (word === 'v2' ? v2 : word));
      await project.deployOk('--image', v2);
      await project.deployOk('--image', v1);
      const result = await underForeignLoad(project, KIND, async () => {
        const { all } = await planOf(project, words);
        assert.ok(all.includes('route') && all.includes('promote'), all.join(', '));
        for (const count of chosen(all, args)) await survives(t, project, { args: words, count, next: v1 });
      });
      t.diagnostic(result.judgement.summary);
      assertNothingLost(result);
    });
  }

  it('that is killed in the very first deploy, before anybody has written a record, loses nothing', async (t) => {
    await using fresh = await foreignUp(v1);
    const result = await underForeignLoad(fresh, KIND, async () => {
      const { all } = await planOf(fresh, ['--image', v2]);
      await survives(t, fresh, { args: ['--image', v2], count: all.indexOf('route') + 1, next: v1 });
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });
});
