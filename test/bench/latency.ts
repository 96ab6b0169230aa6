import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from '../support/handovers.ts';
import { startLoad } from '../support/load/index.ts';
import { buildReleases, Project } from '../support/project.ts';
import { SATURATING, underLoad } from '../support/under-load.ts';

/**
 * What users feel of a deploy at 70 % of what the machine takes: the 99th percentile of the quick requests during deploys, as a
 * ratio to that of the quiet times between them; for each set of `x-deploy` settings, in turn.
 *   node test/bench/latency.ts [--rounds 7] [--share 0.7] [--settings 'boot-weight: 1; warm-up: {}']...
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    settings: { type: 'string', multiple: true, default: ['boot-weight: auto', 'boot-weight: 1'] },
    share: { type: 'string', default: '0.7' },
  },
});
const MEASURE_REQUESTS = 8000;
const QUIET_MS = 8000;

const images = await buildReleases('v2', 'v3');
await using project = await Project.up('tasuki-test:v1');
const file = join(project.folder, 'compose.yaml');
const compose = await readFile(file, 'utf8');

/** Requests a second that the stack answers when it gets all it takes. */
async function capacity(): Promise<number> {
  await using load = await startLoad({
    ...SATURATING,
    slow: 0,
    target: `http://${await project.podAddress()}`,
    maxSeconds: 120,
  });
  await load.until(({ answered }) => answered > MEASURE_REQUESTS, 100_000);
  return (await load.stop()).perSecond;
}

const full = await capacity();
const rate = Math.round(full * Number(values.share));
console.log(`the stack takes ${full} requests/s; now ${rate} arrive`);

// Users are elsewhere: what plays them here must not wait for the CPU that is measured.
const enter = ['chrt', '--fifo', '10'];
const options = { mode: { rate }, keepAlive: 64, fresh: 16, freshShare: 0.2, enter, maxSeconds: 1800 };
const { report, judgement, kernel } = await underLoad(project, options, async (load) => {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [n, settings] of values.settings.entries()) {
      await load.mark('quiet');
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS)); // the time is what is measured here
      await writeFile(
        file,
        compose.replace('\nx-deploy:', (line) =>
          [line, ...settings.split(';').map((one) => one.trim())].join('\n  '),
        ),
      );
      await load.mark(settings);
      await project.deployOk(
        '--image',
        images[(round * values.settings.length + n) % 2] ?? '',
        '--watch',
        '0s',
      );
    }
  }
  await load.mark('end');
});
console.log(judgement.summary);
console.log(
  `kernel counters that moved: ${kernel.length ? kernel.join(', ') : 'none'}; ${report.skipped} arrivals found no lane`,
);

const p99 = (label: string): number[] =>
  report.intervals.filter((one) => one.label === label).map((one) => one.latency.p99);
const quiet = p99('quiet');
const show = (label: string, times: number[]): void => {
  const ratio = (median(times) / median(quiet)).toFixed(2);
  const list = times.map((ms) => ms.toFixed(0)).join(' ');
  console.log(
    `${label.padEnd(48)} p99 median ${median(times).toFixed(0).padStart(5)} ms, ${ratio} of the quiet   (${list})`,
  );
};
show('between deploys', quiet);
for (const settings of values.settings) show(`deploy, ${settings}`, p99(settings));
