import { writeFile } from 'node:fs/promises';
import { availableParallelism, release } from 'node:os';
import { parseArgs } from 'node:util';
import { summarise, table, type Round } from './web/figures.ts';
import { shoot } from './web/load.ts';
import { buildImages, type Side } from './web/peers.ts';
import { profile } from './web/profile.ts';
import { compareEchoes, comparePages } from './web/same-page.ts';
import { PARTS, Stack, type Part } from './web/stack.ts';

/**
 * The app against its peers on the same machine, each behind nginx as shipped and on the same MySQL: the race board and
 * its form against Flask, `/echo` against Django and Flask. Rounds of all sides take turns; what counts is the ratio.
 *   node test/bench/web.ts [--rounds 5] [--seconds 5] [--warm-up 2] [--path /echo] [--json FILE] [--quick]
 *   node test/bench/web.ts --profile     where the CPU time of our side goes, in place of the comparison
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    'warm-up': { type: 'string' },
    path: { type: 'string' },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const seconds = Number(values.seconds ?? (values.quick ? 1 : 5));
const warmUp = Number(values['warm-up'] ?? (values.quick ? 1 : 2));

interface Case {
  path: string;
  connections: number;
  form?: string;
  peers: Side[];
  /** How many times the peer's requests per second are wanted; other peers are shown for reference. */
  asked: Partial<Record<Side, number>>;
}

const CASES: Case[] = [
  { path: '/', connections: 100, peers: ['flask'], asked: { flask: 5 } },
  {
    path: '/update',
    connections: 100,
    form: 'team=3&text=Fight%21+Two+more+kilometres',
    peers: ['flask'],
    asked: { flask: 3 },
  },
  {
    path: '/echo',
    connections: 64,
    peers: ['django', 'flask', 'express', 'node:http'],
    asked: { django: 2, flask: 4 },
  },
];

// A first Ctrl-C ends the measurement and removes the project, a second one the process.
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));

/** One side, from the same state of the table, warmed up. */
async function measure(stack: Stack, side: Side, { path, connections, form }: Case): Promise<Round> {
  const { pod } = stack.place(side);
  const shot = { pod, path, connections, form };
  await shoot({ ...shot, seconds: warmUp }, stop.signal);
  await stack.refill();
  const before = await stack.cpu(side);
  const sample = await shoot({ ...shot, seconds }, stop.signal);
  const after = await stack.cpu(side);
  const requests = Math.max(1, sample.perSecond * seconds);
  const cpu = PARTS.map((part) => [part, (after[part] - before[part]) / requests]);
  return { ...sample, cpu: Object.fromEntries(cpu) as Record<Part, number> };
}

async function compare(stack: Stack, one: Case) {
  const sides: Side[] = ['tasuki', ...one.peers];
  const results = new Map(sides.map((side) => [side, [] as Round[]]));
  for (let round = 0; round < rounds; round++) {
    // Another begins in each round, so that none always follows the same one.
    const order = sides.map((_, index) => sides[(index + round) % sides.length]!);
    for (const side of order) {
      stop.signal.throwIfAborted();
      results.get(side)!.push(await measure(stack, side, one));
    }
  }
  const ours = results.get('tasuki')!;
  const summaries = sides.map((side) =>
    summarise(side, results.get(side)!, side === 'tasuki' ? undefined : ours),
  );
  const what = `${one.form ? 'POST ' : ''}${one.path}, ${one.connections} connections, ${rounds} rounds of ${seconds} s`;
  console.log(table(what, summaries, one.asked));
  return { path: one.path, connections: one.connections, summaries, rounds: Object.fromEntries(results) };
}

async function main(): Promise<void> {
  await buildImages();
  stop.signal.throwIfAborted();
  await using stack = await Stack.up();
  stop.signal.throwIfAborted();
  await stack.refill();
  const [ours, flask] = [stack.place('tasuki').url, stack.place('flask').url];
  const bytes = await comparePages(ours, flask);
  console.log(`same page: ${bytes.ours} bytes, Flask's ${bytes.peer}`);
  for (const side of ['flask', 'django'] as const) await compareEchoes(ours, stack.place(side).url);

  const cases = CASES.filter(({ path }) => values.path === undefined || path === values.path);
  if (values.profile) {
    for (const { path, connections, form } of cases) {
      await stack.refill();
      console.log(await profile(stack, { path, connections, form, seconds: seconds + 2 }, stop.signal));
    }
    return;
  }
  const results = [];
  for (const one of cases) results.push(await compare(stack, one));
  const machine = { cores: availableParallelism(), kernel: release() };
  const data = {
    at: new Date().toISOString(),
    machine,
    rounds,
    seconds,
    warmUp,
    pages: bytes,
    cases: results,
  };
  if (values.json) await writeFile(values.json, `${JSON.stringify(data, null, 1)}\n`);
}

await main().catch((error: unknown) => {
  if (!stop.signal.aborted) throw error;
  console.error((stop.signal.reason as Error).message);
  process.exitCode = 130;
});
