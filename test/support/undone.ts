import assert from 'node:assert/strict';
import type { Bad } from '../fixtures/bad-releases.ts';
import type { Project } from './project.ts';
import { STEADY, underLoad, type LoadResult } from './under-load.ts';

const BACK_MS = 30_000;

/** Deploys bad releases under load: each is refused with its own words, and the one that serves goes on. */
export async function undone(project: Project, bad: Bad[]): Promise<LoadResult> {
  return await underLoad(project, STEADY, async (load) => {
    for (const { does, kind, flags = [], says } of bad) {
      const { serving } = (await project.status()).record!;
      const { sent } = await load.counters();
      const run = await project.deploy('--image', `tasuki-test:${kind}`, ...flags);
      assert.equal(run.exitCode, 1, `one that ${does}: ${run.stdout}${run.stderr}`);
      for (const wanted of says) assert.match(run.stderr, wanted);
      assert.equal(await project.answering(), serving);
      await load.until((now) => now.sent > sent + 300, BACK_MS);
    }
  });
}
