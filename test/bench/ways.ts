import { readFile, rename, writeFile } from 'node:fs/promises';
import { availableParallelism, release } from 'node:os';
import { parseArgs } from 'node:util';
import { docker } from '../support/containers.ts';
import { assertControl, table, type Round } from './ways/figures.ts';
import { GUNICORN_WAYS } from './ways/gunicorn.ts';
import { buildImages, PEERS_IMAGE } from './ways/images.ts';
import { EVERY_MS, measure, RATE } from './ways/measure.ts';
import { OWN_WAYS } from './ways/own.ts';
import { RECREATE } from './ways/recreate.ts';
import { UWSGI_WAYS } from './ways/uwsgi.ts';
import type { Way } from './ways/way.ts';

/**
 * The classic ways to reload or replace a running web server, each under the same load, and ours beside them: requests
 * lost, longest stall. Rows take turns over the rounds. docs/reload-ways.md says what each of them is.
 *   node test/bench/ways.ts [--rows a,b] [--reloads 10] [--rounds 5] [--json FILE]   as many reloads of each row in all
 *   node test/bench/ways.ts --json FILE --table                                      the table of what is in the file
 * With --saturate as much load as the machine takes, in place of a rate that every row takes easily.
 * Rounds are added to those that FILE has, so that a long measurement can be made in pieces. `node build.ts` comes first.
 */

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    reloads: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
    saturate: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
  },
});

/** The row that must lose. */
const CONTROL = 'stop-start';
const WAYS: Way[] = [...UWSGI_WAYS, ...GUNICORN_WAYS, RECREATE, ...OWN_WAYS];

interface Results {
  every: { reloadMs: number; requestsPerSecond: number | 'saturating' };
  machine: { cores: number; kernel: string; engine: string };
  versions: string;
  rounds: Round[];
}

// A first Ctrl-C ends the measurement and removes what runs, a later one the process. (`timeout` sends its signal twice.)
const TWICE_MS = 2000;
const stop = new AbortController();
let stoppedAt = 0;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted && performance.now() - stoppedAt > TWICE_MS) process.exit(130);
    if (!stop.signal.aborted) stoppedAt = performance.now();
    stop.abort(new Error(`stopped by ${signal}`));
  });
}

function chosen(): Way[] {
  if (values.rows === undefined) return WAYS;
  return values.rows.split(',').map((name) => {
    const way = WAYS.find((one) => one.name === name);
    if (!way) throw new Error(`no row ${name}; there are: ${WAYS.map((one) => one.name).join(', ')}`);
    return way;
  });
}

async function read(): Promise<Results | null> {
  if (values.json === undefined) return null;
  try {
    return JSON.parse(await readFile(values.json, 'utf8')) as Results;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function begin(): Promise<Results> {
  const engine = await docker(['version', '--format', '{{.Server.Version}}']);
  const versions = 'uwsgi --version; gunicorn --version; start_server --version; python3 --version';
  return {
    every: { reloadMs: EVERY_MS, requestsPerSecond: values.saturate ? 'saturating' : RATE },
    machine: { cores: availableParallelism(), kernel: release(), engine: engine.trim() },
    versions: await docker(['run', '--rm', PEERS_IMAGE, 'sh', '-c', versions]),
    rounds: [],
  };
}

async function write(results: Results): Promise<void> {
  if (values.json === undefined) return;
  await writeFile(`${values.json}.new`, `${JSON.stringify(results, null, 1)}\n`);
  await rename(`${values.json}.new`, values.json);
}

async function main(): Promise<void> {
  const ways = chosen();
  if (values.table) {
    console.log(table(ways, (await read())?.rounds ?? []));
    return;
  }
  await buildImages();
  stop.signal.throwIfAborted();
  const results = (await read()) ?? (await begin());
  const rounds = Number(values.rounds);
  const reloads = Math.ceil(Number(values.reloads) / rounds);
  for (let round = 0; round < rounds; round++) {
    // Another begins in each round, so that none always follows the same one.
    const order = ways.map((_, index) => ways[(index + round) % ways.length]!);
    for (const way of order) {
      stop.signal.throwIfAborted();
      const one = await measure(way, { reloads, saturate: values.saturate }, stop.signal);
      results.rounds.push(one);
      await write(results);
      console.error(`${way.name}: ${one.failed} of ${one.sent} failed ${JSON.stringify(one.byError)}`);
    }
  }
  console.log(table(ways, results.rounds));
  assertControl(results.rounds.filter(({ way }) => way === CONTROL));
}

await main().catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
  console.error((stop.signal.reason as Error).message);
  process.exitCode = 130;
});
