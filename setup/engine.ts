import { spawn } from 'node:child_process';
import { access, constants, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deriveSources, formatDeb822, formatPreferences } from './apt-sources.ts';
import {
  describeEngine,
  type EngineState,
  type InstallPlan,
  judgeEngine,
  leastEngine,
  planInstall,
} from './engine-state.ts';
import { SetupError } from './errors.ts';
import {
  aptInstall,
  exists,
  isInstalled,
  type Machine,
  readAptSources,
  readMachine,
  requireApt,
  writeAtomically,
} from './machine.ts';
import { capture, lastLines, run } from './run.ts';
import type { Context, Finding, Output, Step } from './step.ts';

const socket = '/var/run/docker.sock';
const daemonLog = '/var/log/dockerd.log';
const daemonFile = '/etc/docker/daemon.json';
const startDeadlineMs = 60_000;
const preferredFile = '/etc/apt/preferences.d/tasuki';
/** What may come from the newer suite; the rest of its dependencies are satisfied by the machine's own. */
const pinnedPackages = ['docker.io', 'docker-cli', 'docker-compose', 'docker-buildx', 'containerd'];

/** The source list that this set-up adds. */
export function sourcesFile(suite: string): string {
  return `/etc/apt/sources.list.d/tasuki-${suite}.sources`;
}

/** Docker Engine, Compose v2 and buildx: present, new enough, and answering. */
export const engineStep: Step = {
  title: 'Docker',
  async look(context): Promise<Finding> {
    const [state, machine] = await Promise.all([observe(context), readMachine()]);
    const verdict = judgeEngine(state);
    if (verdict.kind === 'ready') return { done: true, text: verdict.text };
    if (verdict.kind === 'start') return { done: false, text: verdict.text };
    if (verdict.kind === 'refuse') return { done: false, text: `${verdict.why}; ${verdict.next}` };
    const plan = planInstall(machine);
    const how = plan === null ? `cannot install it on ${machine.name}` : `install ${describePlan(plan)}`;
    return { done: false, text: `missing: ${verdict.missing.join(', ')}; ${how}` };
  },
  async act(context, output): Promise<string> {
    const machine = await readMachine();
    // Starting can show that the engine is too old, installing that it is not started: so at most three rounds.
    for (let round = 0; round < 3; round += 1) {
      const state = await observe(context);
      const verdict = judgeEngine(state);
      if (verdict.kind === 'ready') return describeEngine(state);
      if (verdict.kind === 'refuse') throw new SetupError(verdict.why, { next: verdict.next });
      if (verdict.kind === 'start') await startEngine(machine, context, output);
      else await install(machine, context, output);
    }
    throw new SetupError('Docker was installed and started, and still is not usable', {
      output: (await capture('docker', ['version'], { timeoutMs: 20_000, signal: context.signal })).tail,
      next: `look at ${daemonLog} and at \`docker version\`.`,
    });
  },
};

async function observe(context: Context): Promise<EngineState> {
  const ask = async (args: string[]): Promise<string | null> => {
    const answer = await capture('docker', args, { timeoutMs: 20_000, signal: context.signal });
    return answer.ok && answer.stdout.trim() !== '' ? answer.stdout.trim() : null;
  };
  const [server, compose, buildx, endpoint, vendorPackages] = await Promise.all([
    ask(['version', '--format', '{{.Server.Version}}']),
    ask(['compose', 'version', '--short']),
    ask(['buildx', 'version']),
    ask(['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']),
    isInstalled('docker-ce', context),
  ]);
  const host = context.env['DOCKER_HOST'] ?? endpoint;
  const local = !host || host === `unix://${socket}`;
  const daemons = ['/usr/sbin/dockerd', '/usr/bin/dockerd', '/usr/local/bin/dockerd'];
  return {
    server,
    compose,
    buildx: buildx === null ? null : (/v?(\d+\.\d+\S*)/.exec(buildx)?.[1] ?? buildx),
    daemonInstalled: (await Promise.all(daemons.map(exists))).includes(true),
    vendorPackages,
    elsewhere: local ? null : host,
    forbidden: server === null && local && (await isForbidden()),
  };
}

async function isForbidden(): Promise<boolean> {
  if (!(await exists(socket))) return false;
  return access(socket, constants.R_OK | constants.W_OK).then(
    () => false,
    () => true,
  );
}

function describePlan(plan: InstallPlan): string {
  const origin =
    plan.fromSuite === null
      ? "the machine's own suites"
      : `Debian's suite ${plan.fromSuite}, nothing else from there`;
  return `${plan.packages.join(', ')} (from ${origin})`;
}

async function install(machine: Machine, context: Context, output: Output): Promise<void> {
  const byHand = `Docker Engine ${leastEngine} or newer with Compose v2 and buildx`;
  const plan = planInstall(machine);
  await requireApt(machine, byHand);
  if (plan === null)
    throw new SetupError(`${machine.name} is too old: no suitable Docker for it`, {
      next: `install ${byHand}.`,
    });
  if (plan.fromSuite !== null) await addSuite(machine, plan.fromSuite, output);
  await keepServing(output);
  output.announce(`installing ${plan.packages.join(', ')}`);
  await aptInstall(plan.packages, context, output);
}

/** An engine that nobody has configured: its containers go on while it is restarted or upgraded. */
async function keepServing(output: Output): Promise<void> {
  if (await exists(daemonFile)) return;
  output.announce(`setting live-restore in ${daemonFile}: the stack serves while the engine is restarted`);
  await mkdir(dirname(daemonFile), { recursive: true });
  await writeAtomically(daemonFile, '{ "live-restore": true }\n');
}

async function addSuite(machine: Machine, suite: string, output: Output): Promise<void> {
  const file = sourcesFile(suite);
  const derived = deriveSources(await readAptSources(file), machine.codename, suite);
  if (derived.length === 0) {
    throw new SetupError(
      `The apt sources of this machine do not name ${machine.codename}, so ${suite} cannot be derived`,
      {
        next: `add the suite ${suite} to /etc/apt by hand, or install Docker Engine ${leastEngine} by hand.`,
      },
    );
  }
  output.announce(`adding apt suite ${suite} for Docker's packages only: ${file}, ${preferredFile}`);
  // The preferences first: without them the newer suite would be open to every package.
  await writeAtomically(preferredFile, formatPreferences(suite, pinnedPackages));
  await writeAtomically(file, formatDeb822(derived));
}

async function startEngine(machine: Machine, context: Context, output: Output): Promise<void> {
  if (!machine.root) {
    throw new SetupError('The Docker engine is installed but stopped, and starting it needs root', {
      next: 'run this as root, or start the engine (`systemctl start docker`) and try again.',
    });
  }
  if (machine.systemd) {
    output.announce('starting the engine: systemctl enable --now docker');
    await run('systemctl', ['enable', '--now', 'docker'], {
      what: 'Starting the Docker engine',
      next: 'look at `journalctl -u docker`.',
      timeoutMs: startDeadlineMs,
      signal: context.signal,
    });
    await waitForEngine(context, () => false, 'look at `journalctl -u docker`.');
    return;
  }
  await keepServing(output);
  output.announce(
    `starting the engine: dockerd, its log in ${daemonLog} (no systemd here: start it again after a reboot)`,
  );
  const log = await open(daemonLog, 'a');
  // Its own session, so that Ctrl-C ends this command and not the engine; room for many connections.
  const daemon = spawn('sh', ['-c', 'ulimit -n 1048576 2>/dev/null; exec dockerd'], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    cwd: '/',
  });
  let ended = false;
  daemon.on('exit', () => (ended = true)).on('error', () => (ended = true));
  daemon.unref();
  await log.close();
  await waitForEngine(
    context,
    () => ended,
    `look at ${daemonLog}. In a container the engine needs --privileged.`,
  );
}

async function waitForEngine(context: Context, hasEnded: () => boolean, next: string): Promise<void> {
  const deadline = Date.now() + startDeadlineMs;
  while (Date.now() < deadline && !hasEnded()) {
    const answer = await capture('docker', ['version'], { timeoutMs: 10_000, signal: context.signal });
    if (answer.ok) return;
    await sleep(200, undefined, { signal: context.signal });
  }
  const log = await readFile(daemonLog, 'utf8').catch(() => '');
  const why = hasEnded() ? 'ended at once' : `did not answer within ${startDeadlineMs / 1000} s`;
  throw new SetupError(`The Docker engine ${why}`, { output: lastLines(log), next });
}
