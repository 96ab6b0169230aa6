import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { docker } from '../support/containers.ts';
import { median } from '../support/handovers.ts';
import { startLoad } from '../support/load/index.ts';
import { buildReleases, Project } from '../support/project.ts';
import { SATURATING } from '../support/under-load.ts';

/**
 * How long a switch takes, from Enter (the start of the process) to the first answer of the new release, idle and under
 * saturating load; beside it, in the same rounds, `docker run` of the same image until it is ready, as the floor.
 *   node test/bench/speed.ts [--rounds 7]
 */

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } });
const rounds = Number(values.rounds);

const images = await buildReleases('v2', 'v3');
await using project = await Project.up('tasuki-test:v1');

/**
 * Milliseconds from spawning the command until it reports the first answer of the new release that its own stream of
 * requests got through the proxy. A poller of the benchmark's own would compete for the two cores it measures.
 */
async function switchTime(args: string[]): Promise<number> {
  const start = performance.now();
  const deploy = project.spawnDeploy([...args, '--json']);
  let took = Number.NaN;
  for await (const line of deploy) {
    if (Number.isNaN(took) && line.includes('"type":"serving"')) took = performance.now() - start;
  }
  const { exitCode, stdout, stderr } = await deploy;
  if (exitCode !== 0 || Number.isNaN(took)) throw new Error(`${stdout}\n${stderr}`);
  return Math.round(took);
}

/** The same image, its health command and nothing else. */
async function dockerRun(image: string): Promise<number> {
  const [app] = await project.containers();
  const { stdout } = await execa('docker', [
    'inspect',
    '--format',
    '{{.HostConfig.NetworkMode}}',
    app?.id ?? '',
  ]);
  const volumes = ['-v', `${project.name}_secrets:/run/secrets-store:ro`];
  const env = [
    '-e',
    'DATABASE_URL=mysql://tasuki@mysql/tasuki',
    '-e',
    'DATABASE_PASSWORD_FILE=/run/secrets-store/mysql_password',
  ];
  const start = performance.now();
  const id = (
    await docker(['run', '-d', '--network', stdout, ...volumes, ...env, '-e', 'PORT=3999', image])
  ).trim();
  try {
    await docker(['exec', id, 'sh', '-c', 'until node ctl health; do :; done']);
    return Math.round(performance.now() - start);
  } finally {
    await docker(['rm', '-f', id]);
  }
}

function show(what: string, times: number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  console.log(
    `${what.padEnd(44)} median ${String(median(times)).padStart(5)} ms   min ${sorted[0]}   max ${sorted.at(-1)}`,
  );
}

for (const loaded of [false, true]) {
  const deploys: number[] = [];
  const rollbacks: number[] = [];
  const floor: number[] = [];
  const load = loaded
    ? await startLoad({ ...SATURATING, target: `http://${await project.podAddress()}`, maxSeconds: 900 })
    : null;
  // A deploy goes by the last ten seconds: they must all be of this load.
  await load?.until((counters) => counters.sent > 20_000, 60_000);
  for (let round = 0; round < rounds; round++) {
    deploys.push(await switchTime(['--image', images[round % images.length] ?? '']));
    rollbacks.push(await switchTime(['rollback']));
    floor.push(await dockerRun('tasuki-test:v1'));
  }
  const report = await load?.stop();
  const when = report
    ? `under load (${Math.round(report.perSecond)} requests/s, failed ${report.failed})`
    : 'idle';
  show(`deploy --image, ${when}`, deploys);
  show(`deploy rollback, ${loaded ? 'under load' : 'idle'}`, rollbacks);
  show(`docker run until healthy, ${loaded ? 'under load' : 'idle'}`, floor);
}
