import { statfs } from 'node:fs/promises';
import { fail, ok, skipped, warn, type Check, type Verdict } from './check.ts';
import type { Strategy } from '../schema.ts';
import type { Facts } from './facts.ts';
import { atLeast, parseVersion } from './version.ts';

const NODE_MAJOR = 24;
/** SO_REUSEPORT migration came with it. */
const KERNEL = [5, 14] as const;
/** CVE-2026-46015: the first patch of each series in which migrated connections are woken. */
const WOKEN_SINCE: Record<string, number> = {
  '5.15': 209,
  '6.1': 175,
  '6.6': 140,
  '6.12': 86,
  '6.18': 27,
  '7.0': 4,
};
const GIB = 1024 ** 3;
const DISK_FAIL_GIB = 0.5;
const DISK_WARN_GIB = 2;
/** The kernel's default before 5.4 was 128, which a burst fills. */
const SOMAXCONN = 1024;
/** This code was not written before. */
const FIRST_YEAR = 2026;
const SKEW_WARN_MS = 2000;
const SKEW_FAIL_MS = 60_000;

/** The Node that runs this: the launcher prefers the one in node_modules. */
export function judgeNode(version: string, path: string): Verdict {
  if (atLeast(version, NODE_MAJOR)) return ok(`node ${version} (${path})`);
  return fail(`node ${version} (${path}) is older than ${NODE_MAJOR}`, 'npm ci   (it brings one along)');
}

/** Whether the kernel knows migration, where that is needed; whether it does it well is for the check of the behaviour. */
export function judgeKernel(release: string, strategy: Strategy = 'reuseport'): Verdict {
  if (strategy !== 'reuseport') return ok(`kernel ${release}`);
  if (!atLeast(release, ...KERNEL)) {
    return fail(
      `kernel ${release} cannot migrate connections between listeners (5.14 or later can)`,
      'update the kernel: Debian 12, Ubuntu 22.04 and later have one; or x-deploy.strategy: unix (docs/strategies.md)',
    );
  }
  const [major, minor, patch] = parseVersion(release);
  const since = WOKEN_SINCE[`${major}.${minor}`];
  const open = since === undefined ? !atLeast(release, 7, 1) : patch < since;
  return ok(
    `kernel ${release}${open ? ' (by its number open to CVE-2026-46015; the behaviour of listener migration tells)' : ''}`,
  );
}

/** The tightest of several places. */
export function judgeDisk(places: { what: string; path: string; free: number }[]): Verdict {
  const words = places
    .map(({ what, path, free }) => `${(free / GIB).toFixed(1)} GiB free for ${what} (${path})`)
    .join(', ');
  const least = Math.min(...places.map(({ free }) => free)) / GIB;
  const advice = 'see what takes it: docker system df; make room: deploy prune, docker builder prune';
  if (least < DISK_FAIL_GIB) return fail(`disk: ${words}`, advice);
  return least < DISK_WARN_GIB ? warn(`disk: ${words}`, advice) : ok(`disk: ${words}`);
}

/** The limit of every accept queue in the pod. */
export function judgeSomaxconn(value: number | undefined): Verdict {
  if (value === undefined) return skipped('somaxconn: cannot be read in the pod');
  if (value >= SOMAXCONN) return ok(`net.core.somaxconn is ${value}`);
  return warn(
    `net.core.somaxconn is ${value}: a burst of connections is dropped`,
    'compose.yaml, service pod: sysctls: { net.core.somaxconn: 4096 }; then: docker compose up -d',
  );
}

/** A clock that was never set: certificates, logs and the expiry of locks are wrong. */
export function judgeYear(now: Date): Verdict {
  const year = now.getUTCFullYear();
  if (year >= FIRST_YEAR && year < FIRST_YEAR + 50) return ok(`clock: ${now.toISOString()}`);
  return fail(`clock: it says ${now.toISOString()}`, 'set it: timedatectl set-ntp true');
}

/** This machine's clock against the engine's; `exactMs` is how long the question took one way. */
export function judgeSkew({ ms, exactMs }: { ms: number; exactMs: number }): Verdict {
  const beyond = Math.max(0, Math.abs(ms) - exactMs);
  const words = `the engine's clock is ${(Math.abs(ms) / 1000).toFixed(1)} s ${ms < 0 ? 'behind' : 'ahead of'} this machine's`;
  const advice = 'keep both set: timedatectl set-ntp true';
  if (beyond > SKEW_FAIL_MS) return fail(words, advice);
  return beyond > SKEW_WARN_MS ? warn(words, advice) : ok("the engine's clock agrees with this machine's");
}

async function disk({ globals, missing, config, info }: Facts): Promise<Verdict> {
  const wanted = [{ what: 'the project', path: missing.config ? globals.cwd : config.directory }];
  const isLocal = !globals.env.DOCKER_HOST || globals.env.DOCKER_HOST.startsWith('unix:');
  if (!missing.engine && isLocal) wanted.push({ what: 'the engine', path: info.DockerRootDir });
  const places = await Promise.all(
    wanted.map(async ({ what, path }) => {
      const space = await statfs(path).catch(() => null); // an engine in a VM has its folder elsewhere
      return space && { what, path, free: space.bavail * space.bsize };
    }),
  );
  const found = places.filter((place) => place !== null);
  return found.length ? judgeDisk(found) : skipped('disk: no folder to look at is here');
}

function kernel({ info, missing, config }: Facts): Verdict {
  return judgeKernel(info.KernelVersion, missing.config ? undefined : config.settings.strategy);
}

export const MACHINE_CHECKS: Check[] = [
  { id: 'node', title: 'Node', needs: [], run: () => judgeNode(process.versions.node, process.execPath) },
  { id: 'kernel', title: 'kernel', needs: ['engine'], run: kernel },
  { id: 'disk', title: 'disk', needs: [], run: disk },
  { id: 'clock', title: 'clock', needs: [], run: () => judgeYear(new Date()) },
  { id: 'skew', title: "the engine's clock", needs: ['engine'], run: ({ skew }) => judgeSkew(skew) },
];

/** Settings of the pod's own network. */
export const POD_CHECKS: Check[] = [
  {
    id: 'somaxconn',
    title: 'somaxconn',
    needs: ['engine', 'config', 'pod'],
    run: ({ netns }) => judgeSomaxconn(netns.somaxconn),
  },
];
