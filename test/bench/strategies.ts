import { parseArgs } from 'node:util';
import { median } from '../support/handovers.ts';
import { buildReleases, Project, type ProjectOptions } from '../support/project.ts';
import { shoot, type Sample } from './web/load.ts';
import { buildLoadImage } from './web/peers.ts';

/**
 * What each way of handing over costs the requests: the same app and load behind the proxy as shipped, with connections to the
 * app that are kept, and with one for each request. Rounds of all sides take turns; what counts is the ratio.
 *   node test/bench/strategies.ts [--rounds 5] [--seconds 5] [--connections 64]
 */

/** Who is compared, the first with each other: a name, and what makes its project.  */
const SIDES: Record<string, ProjectOptions> = {
  reuseport: {},
  unix: { strategy: 'unix' },
  upstream: { strategy: 'upstream' },
  'h2o, reuseport': { proxy: 'h2o' },
  'h2o, unix': { proxy: 'h2o', strategy: 'unix' },
  'h2o, upstream': { proxy: 'h2o', strategy: 'upstream' },
};
/** Where the app does little, the way to it shows most. */
const PATH = '/echo';
const WARM_UP_SECONDS = 2;
const MODES = [
  ['connections that are kept', '64'],
  ['a connection per request', '0'],
] as const;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
  },
});
const [rounds, seconds, connections] = [values.rounds, values.seconds, values.connections].map(Number);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(signal)));

async function measure(project: Project): Promise<Sample> {
  const [pod] = await project.containers('pod');
  const shot = { pod: pod?.id ?? '', path: PATH, connections: connections! };
  await shoot({ ...shot, seconds: WARM_UP_SECONDS }, stop.signal);
  return await shoot({ ...shot, seconds: seconds! }, stop.signal);
}

function show(side: string, samples: Sample[], first: Sample[]): string {
  const of = (read: (one: Sample) => number): number => median(samples.map(read));
  const ratios = samples.map(({ perSecond }, round) => perSecond / first[round]!.perSecond);
  const rates = samples.map(({ perSecond }) => Math.round(perSecond)).toSorted((a, b) => a - b);
  const errors = samples.reduce((sum, one) => sum + one.errors, 0);
  return (
    `  ${side.padEnd(14)} ${Math.round(of(({ perSecond }) => perSecond))} requests/s (${rates[0]} to ${rates.at(-1)})` +
    `   p50 ${of(({ p50 }) => p50).toFixed(1)} ms   p99 ${of(({ p99 }) => p99).toFixed(1)} ms   errors ${errors}` +
    `   ${median(ratios).toFixed(3)} of the first (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`
  );
}

await buildLoadImage();
await buildReleases();
await using projects = new AsyncDisposableStack();
const sides: [string, Project][] = [];
for (const [side, options] of Object.entries(SIDES))
  sides.push([side, projects.use(await Project.up('tasuki-test:v1', options))]);
for (const [mode, keepAlive] of MODES) {
  for (const [, project] of sides) {
    await project.setVariable('UPSTREAM_KEEPALIVE', keepAlive);
    await project.compose('up', '-d', '--wait', '--no-build', '--no-deps', 'proxy');
    await project.untilAnswering(30_000);
  }
  const samples = new Map(sides.map(([side]) => [side, [] as Sample[]]));
  for (let round = 0; round < rounds!; round++) {
    // Another begins in each round, so that none always follows the same one.
    for (const [index] of sides.entries()) {
      const [side, project] = sides[(index + round) % sides.length]!;
      samples.get(side)!.push(await measure(project));
    }
  }
  console.log(`${PATH}, ${connections} connections, ${rounds} rounds of ${seconds} s, ${mode}:`);
  const first = samples.get(sides[0]![0])!;
  for (const [side, all] of samples) console.log(show(side, all, first));
}
