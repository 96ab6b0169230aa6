import { execa, ExecaError } from 'execa';
import type Docker from 'dockerode';
import { fail, ok, skipped, warn, type Check, type Lack, type Verdict } from './check.ts';
import type { EngineInfo, Facts } from './facts.ts';
import { atLeast, MIN_COMPOSE } from './version.ts';

/** Older engines refuse `start_interval`, and the whole file with it. */
const ENGINE_MAJOR = 25;
const TOOL_TIMEOUT_MS = 10_000;
const INSTALL =
  'npm start   (installs it), or your distribution: docker-compose-plugin, docker-buildx-plugin';
/** Drivers that bound what they keep, or keep nothing on this machine. */
const ROTATING = new Set([
  'local',
  'journald',
  'none',
  'syslog',
  'fluentd',
  'gelf',
  'awslogs',
  'gcplogs',
  'splunk',
  'etwlogs',
]);
const COMES_BACK = new Set(['always', 'unless-stopped', 'on-failure']);

/** Whether the engine answers, and as which version. */
export function judgeEngine(lack: Lack | undefined, version: string | undefined): Verdict {
  if (lack || version === undefined)
    return fail(`engine: ${lack?.detail ?? 'unknown'}`, lack?.advice ?? 'npm start');
  if (atLeast(version, ENGINE_MAJOR)) return ok(`engine ${version}`);
  return fail(
    `engine ${version} is older than ${ENGINE_MAJOR}`,
    'update Docker Engine (docker-ce, or docker.io of your distribution)',
  );
}

/** A plugin of the docker command; null when it is not installed. */
export function judgePlugin(
  name: string,
  version: string | null,
  wanted: readonly [number, number],
  level: 'fail' | 'warn',
): Verdict {
  const bad = level === 'fail' ? fail : warn;
  if (version === null) return bad(`docker ${name} is not installed`, INSTALL);
  if (atLeast(version, ...wanted)) return ok(`docker ${name} ${version.replace(/^v/, '')}`);
  return bad(`docker ${name} ${version} is older than ${wanted.join('.')}`, INSTALL);
}

/** The docker command may follow a context or a variable to another engine than this tool does. */
export function judgeSameEngine(ours: string, theirs: string, context: string): Verdict {
  if (ours === theirs) return ok('the docker command talks to the same engine');
  const which = context ? `context "${context}"` : 'none';
  return fail(
    `the docker command talks to another engine (${which}) than deploy does`,
    'docker context use default, or set DOCKER_HOST for both',
  );
}

/** An engine that stops its containers when it is itself upgraded stops the release that serves. */
export function judgeLiveRestore({
  LiveRestoreEnabled,
  Swarm,
}: Pick<EngineInfo, 'LiveRestoreEnabled' | 'Swarm'>): Verdict {
  if (LiveRestoreEnabled) return ok('live-restore is on: the stack serves while the engine is upgraded');
  if (Swarm?.LocalNodeState === 'active') return ok('live-restore is off (Swarm does not allow it)');
  return ok(
    'live-restore is off: an upgrade of the engine stops the stack for some seconds',
    'to keep it serving: "live-restore": true in /etc/docker/daemon.json, then: systemctl reload docker',
  );
}

export interface Logging {
  name: string;
  driver: string;
  options: Record<string, string>;
}

/** A log without a limit grows until the disk is full. */
export function judgeLogs(containers: Logging[]): Verdict {
  const endless = containers.filter(({ driver, options }) => !ROTATING.has(driver) && !options['max-size']);
  if (endless.length === 0) return ok(`logs of ${containers.length} containers are rotated`);
  return warn(
    `logs without a limit: ${endless.map(({ name }) => name).join(', ')}`,
    'compose.yaml: logging: { driver: local, options: { max-size: 10m, max-file: "3" } }; then: docker compose up -d',
  );
}

/** Only a container with a restart policy comes back after a crash or a reboot. */
export function judgeRestart(containers: { name: string; policy: string }[]): Verdict {
  const bad = containers.filter(({ policy }) => !COMES_BACK.has(policy));
  if (bad.length === 0)
    return ok(`all ${containers.length} running containers come back after a crash or a reboot`);
  return warn(
    `no restart policy: ${bad.map(({ name }) => name).join(', ')}`,
    'compose.yaml: restart: unless-stopped; then: docker compose up -d',
  );
}

export interface Life {
  name: string;
  status: string;
  exitCode: number;
  /** Its restart policy. */
  policy: string;
  /** Why the engine could not start it; empty when it could. */
  error: string;
}

/** Every container of the project runs, but for one-off ones (no restart policy) that have done their work. */
export function judgeRunning(containers: Life[]): Verdict {
  const down = containers.filter(
    ({ status, exitCode, policy }) =>
      status !== 'running' && !(status === 'exited' && exitCode === 0 && policy === 'no'),
  );
  if (down.length === 0) return ok('every container runs that should');
  const words = down.map(({ name, status, exitCode, error }) => {
    const because = error || (status === 'exited' || status === 'restarting' ? `exit code ${exitCode}` : '');
    return `${name} is ${status}${because && ` (${because})`}`;
  });
  const { name, status } = down[0]!;
  const advice = `docker logs ${name}   and, when it is put right: docker compose up -d`;
  return fail(words.join('; '), status === 'paused' ? `docker unpause ${name}` : advice);
}

/** What a tool prints as its version; null when it, or docker itself, is not there. */
async function toolOutput(...args: string[]): Promise<string | null> {
  try {
    const { stdout } = await execa('docker', args, { timeout: TOOL_TIMEOUT_MS, stdin: 'ignore' });
    return stdout.trim();
  } catch (error) {
    if (error instanceof ExecaError && !error.timedOut) return null;
    throw error;
  }
}

async function sameEngine({ info }: Facts): Promise<Verdict> {
  const theirs = await toolOutput('info', '--format', '{{.ID}}');
  if (theirs === null) return skipped('the engine of the docker command: docker info failed', INSTALL);
  if (theirs === info.ID) return judgeSameEngine(info.ID, theirs, '');
  return judgeSameEngine(info.ID, theirs, (await toolOutput('context', 'show')) ?? '');
}

async function buildx(): Promise<Verdict> {
  const version = await toolOutput('buildx', 'version'); // "github.com/docker/buildx 0.13.1 REVISION"
  return judgePlugin('buildx', version && (version.split(' ')[1] ?? version), [0, 0], 'warn');
}

const running = (containers: Docker.ContainerInspectInfo[]): Docker.ContainerInspectInfo[] =>
  containers.filter((one) => one.State.Running);
const policyOf = (container: Docker.ContainerInspectInfo): string =>
  container.HostConfig.RestartPolicy?.Name || 'no';
const nameOf = (container: Docker.ContainerInspectInfo): string => container.Name.replace(/^\//, '');

/** The containers of the app are judged by other checks: a parked or left-over one is no fault of its own. */
function alive({ containers, instances }: Facts): Verdict {
  const others = containers.filter(({ Id }) => !instances.some(({ id, visible }) => id === Id && !visible));
  return judgeRunning(
    others.map((one) => {
      const { Status, ExitCode, Error: error } = one.State as typeof one.State & { Error?: string };
      return {
        name: nameOf(one),
        status: Status,
        exitCode: ExitCode,
        policy: policyOf(one),
        error: error ?? '',
      };
    }),
  );
}

function logging({ containers }: Facts): Verdict {
  return judgeLogs(
    containers.map((one) => {
      const { Type, Config } = one.HostConfig.LogConfig ?? { Type: 'json-file', Config: {} };
      return { name: nameOf(one), driver: Type, options: (Config ?? {}) as Record<string, string> };
    }),
  );
}

function restart({ containers }: Facts): Verdict {
  return judgeRestart(
    running(containers).map((one) => ({
      name: nameOf(one),
      policy: policyOf(one),
    })),
  );
}

export const ENGINE_CHECKS: Check[] = [
  {
    id: 'engine',
    title: 'engine',
    needs: [],
    run: ({ missing, info }) => judgeEngine(missing.engine, info?.ServerVersion),
  },
  {
    id: 'compose-version',
    title: 'docker compose',
    needs: [],
    run: async () =>
      judgePlugin('compose', await toolOutput('compose', 'version', '--short'), MIN_COMPOSE, 'fail'),
  },
  { id: 'buildx', title: 'docker buildx', needs: [], run: buildx },
  { id: 'same-engine', title: 'the engine of the docker command', needs: ['engine'], run: sameEngine },
];

/** What the engine was told about the containers of this project. */
export const CONTAINER_CHECKS: Check[] = [
  { id: 'running', title: 'containers', needs: ['engine', 'config', 'pod', 'idle'], run: alive },
  {
    id: 'live-restore',
    title: 'live-restore',
    needs: ['engine', 'config', 'pod'],
    run: ({ info }) => judgeLiveRestore(info),
  },
  { id: 'logs', title: 'log rotation', needs: ['engine', 'config', 'pod'], run: logging },
  { id: 'restart', title: 'restart policies', needs: ['engine', 'config', 'pod'], run: restart },
];
