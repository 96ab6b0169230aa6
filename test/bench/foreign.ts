import { parseArgs } from 'node:util';
import { buildForeign, FOREIGN, foreignUp, underForeignLoad, type Foreign } from '../support/foreign.ts';
import { handOver, median } from '../support/handovers.ts';

/**
 * Handovers of images that know nothing of tasuki, under load: what users lose, and how long it takes. One row for each image.
 *   node test/bench/foreign.ts [--handovers 20] [--images go,python]
 */

const { values } = parseArgs({
  options: {
    handovers: { type: 'string', default: '20' },
    images: { type: 'string', default: FOREIGN.join(',') },
  },
});
const handovers = Number(values.handovers);
const MAX_SECONDS = 3600;

const titles = [
  'image',
  'strategy',
  'handovers',
  'requests',
  'failed',
  'lost',
  'duplicated',
  'longest gap',
  'serving after (median)',
];
console.log(`| ${titles.join(' | ')} |\n|${'---|'.repeat(titles.length)}`);
for (const kind of values.images.split(',') as Foreign[]) {
  const images = [await buildForeign(kind, 'v1'), await buildForeign(kind, 'v2')];
  await using project = await foreignUp(images[0] ?? '', { variables: { STOP_GRACE: '2s' } });
  let times = { deploys: [0], rollbacks: [0] };
  const { report, judgement, kernel } = await underForeignLoad(
    project,
    kind,
    async (load) => {
      await load.until((counters) => counters.answered > 200, 30_000);
      times = await handOver(project, load, images.toReversed(), handovers);
      const changes = await project.upChanges();
      if (changes.length) throw new Error(`docker compose up -d changes: ${changes.join(', ')}`);
    },
    { maxSeconds: MAX_SECONDS },
  );
  const row = [
    kind,
    'upstream',
    handovers,
    report.sent,
    report.failed,
    judgement.lost.length,
    judgement.duplicated.length,
    `${Math.round(report.longestGap.ms)} ms`,
    `deploy ${median(times.deploys)} ms, rollback ${median(times.rollbacks)} ms`,
  ];
  console.log(`| ${row.join(' | ')} |`);
  if (judgement.ok && kernel.length === 0) continue;
  console.error(judgement.summary, kernel, JSON.stringify(report.failures.slice(0, 5), null, 1));
  process.exitCode = 1;
}
