/** What there is of Docker, and what to do about it. Pure functions. */

export const leastEngine = 25;

export interface EngineState {
  /** Version of the engine that answers; null when none does. */
  server: string | null;
  compose: string | null;
  buildx: string | null;
  /** `dockerd` is installed on this machine. */
  daemonInstalled: boolean;
  /** Docker's own packages (docker-ce), which the distribution's must not replace. */
  vendorPackages: boolean;
  /** DOCKER_HOST or a context names an engine elsewhere. */
  elsewhere: string | null;
  /** An engine's socket is there, but not for this user. */
  forbidden: boolean;
}

export type Verdict =
  | { kind: 'ready'; text: string }
  | { kind: 'start'; text: string }
  | { kind: 'install'; missing: string[] }
  | { kind: 'refuse'; why: string; next: string };

/** Decides what is to be done before the engine can be used. */
export function judgeEngine(state: EngineState): Verdict {
  if (state.forbidden) {
    return {
      kind: 'refuse',
      why: 'A Docker engine runs here, but this user may not use it',
      next: 'run this as root, or add the user to the group `docker` and log in again.',
    };
  }
  const missing = missingParts(state);
  if (missing.length === 0) return { kind: 'ready', text: describeEngine(state) };
  if (state.elsewhere !== null) {
    return {
      kind: 'refuse',
      why: `Docker is set to use ${state.elsewhere}, where this is missing: ${missing.join(', ')}`,
      next: 'make that engine answer, or unset DOCKER_HOST and DOCKER_CONTEXT to use this machine.',
    };
  }
  const onlyStopped = state.server === null && state.daemonInstalled && missing.length === 1;
  if (onlyStopped) return { kind: 'start', text: 'start the engine, which is installed but does not answer' };
  if (state.vendorPackages) {
    return {
      kind: 'refuse',
      why: `Docker was installed from its vendor's packages (docker-ce), and this is missing: ${missing.join(', ')}`,
      next: 'upgrade docker-ce and install docker-compose-plugin and docker-buildx-plugin, then start again.',
    };
  }
  return { kind: 'install', missing };
}

function missingParts(state: EngineState): string[] {
  const missing: string[] = [];
  if (state.server === null) missing.push('an engine that answers');
  else if (majorVersion(state.server) < leastEngine)
    missing.push(`engine ${leastEngine} or newer (here: ${state.server})`);
  if (state.compose === null || majorVersion(state.compose) < 2) missing.push('Compose v2');
  if (state.buildx === null) missing.push('buildx');
  return missing;
}

/** `26` of `26.1.5+dfsg1`, of `v2.26.1-ds1`, of `github.com/docker/buildx 0.13.1`; -1 where there is no number. */
export function majorVersion(version: string): number {
  return Number(/(\d+)\.\d+/.exec(version)?.[1] ?? -1);
}

/** One line about an engine that is ready. */
export function describeEngine(state: EngineState): string {
  return `engine ${state.server}, Compose ${state.compose}, buildx ${state.buildx}`;
}

export interface InstallPlan {
  packages: string[];
  /** A newer suite of the same distribution that only these packages may come from. */
  fromSuite: string | null;
}

/** Which packages bring an engine that is new enough; null for a system that is not known. */
export function planInstall(machine: { id: string; version: string }): InstallPlan | null {
  const debian = ['docker.io', 'docker-cli', 'docker-compose', 'docker-buildx', 'iptables'];
  const release = machine.version === '' ? Number.POSITIVE_INFINITY : Number.parseFloat(machine.version);
  if (machine.id === 'debian' && release >= 13) return { packages: debian, fromSuite: null };
  // Debian 12 has engine 20: only these packages come from the next release.
  if (machine.id === 'debian' && release >= 12) return { packages: debian, fromSuite: 'trixie' };
  if (machine.id === 'ubuntu' && release >= 22) {
    return { packages: ['docker.io', 'docker-compose-v2', 'docker-buildx', 'iptables'], fromSuite: null };
  }
  return null;
}
