import { readdir, readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { docker } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { BRISK, underLoad } from '../support/under-load.ts';

/**
 * Many deploys in a row under a steady load: what grows? Prints disk, memory, file descriptors, sockets and containers every so
 * often, and at the end whether record and history agree with what was done.
 *   node test/bench/endurance.ts [--deploys 200] [--every 20]
 */
const { values } = parseArgs({
  options: { deploys: { type: 'string', default: '200' }, every: { type: 'string', default: '20' } },
});
const deploys = Number(values.deploys);
const every = Number(values.every);

const images = await buildReleases('v2', 'v3', 'v4');
await using project = await Project.up('tasuki-test:v1');

/** Process 1 of a container, as the host numbers it. */
async function pidOf(id: string): Promise<string> {
  return (await docker(['inspect', '--format', '{{.State.Pid}}', id])).trim();
}

async function descriptorsOf(pid: string): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

interface Levels {
  /** Journal, history and reports. */
  stateKiB: number;
  containers: number;
  images: number;
  /** Of the engine, and of the proxy. */
  engineFds: number;
  engineMiB: number;
  proxyFds: number;
  proxyMiB: number;
  /** In the pod's namespace. */
  sockets: number;
  unixSockets: number;
}

async function levels(): Promise<Levels> {
  const engine = (await readFile('/var/run/docker.pid', 'utf8')).trim();
  const [proxy] = await project.containers('proxy');
  const proxyPid = await pidOf(proxy?.id ?? '');
  const resident = async (pid: string): Promise<number> => {
    const [, kib = '0'] = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Math.round(Number(kib) / 1024);
  };
  const [pod] = await project.containers('pod');
  const sockstat = await docker(['exec', pod?.id ?? '', 'cat', '/proc/net/sockstat']);
  const [, sockets = '0'] = /TCP: inuse (\d+)/.exec(sockstat) ?? [];
  const run = await docker(['exec', pod?.id ?? '', 'find', '/run/tasuki', '-type', 's']);
  const du = await docker([
    'run',
    '--rm',
    '-v',
    `${project.folder}/state:/s:ro`,
    'debian:trixie-slim',
    'du',
    '-sk',
    '/s',
  ]);
  return {
    stateKiB: Number.parseInt(du, 10),
    containers: (await docker(['ps', '-aq'])).split('\n').filter(Boolean).length,
    images: new Set((await docker(['images', '-q'])).split('\n')).size,
    engineFds: await descriptorsOf(engine),
    engineMiB: await resident(engine),
    proxyFds: await descriptorsOf(proxyPid),
    proxyMiB: await resident(proxyPid),
    sockets: Number(sockets),
    unixSockets: run.split('\n').filter(Boolean).length,
  };
}

const seen: Levels[] = [];
const { report, judgement, kernel } = await underLoad(
  project,
  { ...BRISK, maxSeconds: 7200 },
  async (load) => {
    await load.until(({ answered }) => answered > 300, 30_000);
    for (let n = 1; n <= deploys; n++) {
      await project.deployOk('--image', images[n % images.length] ?? '');
      if (n % every !== 0 && n !== 1) continue;
      const now = await levels();
      seen.push(now);
      console.log(`${String(n).padStart(4)}  ${JSON.stringify(now)}`);
    }
  },
);
console.log(judgement.summary);
console.log(
  `kernel counters that moved: ${kernel.length ? kernel.join(', ') : 'none'}; ${report.perSecond} requests/s`,
);

const lines = (await project.deployOk('history', '--json')).stdout.trim().split('\n');
const history = lines.map((line) => JSON.parse(line) as { release: string; outcome: string });
const { record, instances, lock, interruption } = await project.status();
const problems = [
  ...(record?.serving === history.at(-1)?.release ? [] : ['record and history name different releases']),
  ...(history.every(({ outcome }) => outcome === 'done')
    ? []
    : ['the history tells of a run that was not done']),
  ...(instances.length === 2 ? [] : [`${instances.length} instances in place of two`]),
  ...(lock || interruption ? ['a lock or an interruption is left'] : []),
  ...(judgement.ok && kernel.length === 0 ? [] : ['requests were lost']),
];
console.log(
  problems.length ? problems.join('; ') : `record, history (${history.length} runs) and containers agree`,
);
if (problems.length) process.exitCode = 1;
