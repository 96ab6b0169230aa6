import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { docker, eventually } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { strategyFile } from '../support/strategies.ts';
import { cpuSeconds } from '../support/worker.ts';

/**
 * What the stack costs while nobody uses it: the CPU of each container, with the health checks the engine runs in it, as percent
 * of one core; beside them the engine's own processes, which serve every container of the machine.
 *   node test/bench/idle.ts [--seconds 60] [--strategy unix|upstream] [--set RACE_CLOCK=off]...
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    strategy: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const ENGINE = /^(dockerd|containerd|containerd-shim.*|docker-proxy)$/;
/** What a boot leaves to be done (a first database, caches, compilers) is done when a look this long finds no more than the one before. */
const LOOK_MS = 10_000;
const SETTLE_MS = 180_000;

type Figures = Map<string, number>;

const strategy = strategyFile(values.strategy);
await buildReleases();
const variables = Object.fromEntries(values.set.map((pair) => pair.split(/=(.*)/s) as [string, string]));
await using project = await Project.up('tasuki-test:v1', { variables, strategy });
const engine = new Docker();
const services = await runningServices();

/** The containers of the project, by service. */
async function runningServices(): Promise<Map<string, string>> {
  const filter = `label=com.docker.compose.project=${project.name}`;
  const format = '{{.Label "com.docker.compose.service"}}\t{{.ID}}';
  const lines = (await docker(['ps', '--no-trunc', '--filter', filter, '--format', format])).split('\n');
  return new Map(lines.toSorted().map((line) => line.split('\t') as [string, string]));
}

/** Seconds of CPU used so far, by service, and by the engine. */
async function read(): Promise<Figures> {
  const used: Figures = new Map();
  await Promise.all(
    [...services].map(async ([service, id]) => {
      const stats = await engine.getContainer(id).stats({ stream: false, 'one-shot': true });
      used.set(service, stats.cpu_stats.cpu_usage.total_usage / 1e9);
    }),
  );
  used.set(
    '(engine)',
    enginePids().reduce((sum, pid) => sum + cpuSeconds(pid), 0),
  );
  return used;
}

function enginePids(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return ENGINE.test(readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
    } catch {
      return false; // it has ended
    }
  });
}

/** Percent of a core over so many milliseconds. */
async function look(ms: number): Promise<Figures> {
  const [before, began] = [await read(), performance.now()];
  await wait(ms); // what is measured is that nothing happens
  const [after, took] = [await read(), performance.now() - began];
  return new Map([...after].map(([name, used]) => [name, ((used - (before.get(name) ?? 0)) / took) * 1e5]));
}

function sumOf(figures: Figures): number {
  return [...services.keys()].reduce((sum, service) => sum + (figures.get(service) ?? 0), 0);
}

let last = Infinity;
await eventually(
  'the stack has settled',
  async () => {
    const now = sumOf(await look(LOOK_MS));
    const settled = now > last * 0.9;
    last = now;
    return settled;
  },
  SETTLE_MS,
);
const figures = await look(Number(values.seconds) * 1000);
const print = (name: string, percent: number): void =>
  console.log(`${name.padEnd(10)} ${percent.toFixed(2).padStart(6)} % of a core`);
for (const service of services.keys()) print(service, figures.get(service) ?? 0);
print('the stack', sumOf(figures));
print('(engine)', figures.get('(engine)') ?? 0);
