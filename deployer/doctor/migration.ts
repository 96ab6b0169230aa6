import { basename } from 'node:path';
import { before, fail, ok, skipped, warn, type Check, type Verdict } from './check.ts';
import { probeTarget, type Facts } from './facts.ts';
import { probeMigration, WAKE_MS, type ProbeResult, type Try } from './migration-probe.ts';
import type { Netns } from './netns.ts';

/** Two small Node processes, with room to spare: the probe must not bring the app to its limit. */
const NEEDED_MIB = 128;
const MEMORY_TIMEOUT_MS = 5000;
const MIB = 1024 * 1024;
const SYSCTL = 'net.ipv4.tcp_migrate_req';
const NO_GREP = 'its image needs grep, as debian:trixie-slim has';
const SET_IT =
  'compose.yaml, service pod: sysctls: { net.ipv4.tcp_migrate_req: 1 }; then: docker compose up -d';
/** Named by the kernel's documentation of its counters (ip-sysctl, snmp_counter). */
const COUNTERS = ['TCPMigrateReqFailure', 'ListenDrops', 'ListenOverflows'];

/** The wish: the sysctl as it is set in the pod's namespace. */
export function judgeSysctl({ migrateReq, somaxconn }: Netns): Verdict {
  if (migrateReq === 1) return ok(`${SYSCTL} is 1`);
  if (somaxconn === undefined) return skipped(`${SYSCTL} cannot be read in the pod`, NO_GREP);
  if (migrateReq === undefined) {
    return fail(`${SYSCTL} is not there: the kernel is older than 5.14`, 'update the kernel');
  }
  return fail(`${SYSCTL} is ${migrateReq}: every handover resets connections that wait`, SET_IT);
}

/** The behaviour: what happened to connections that waited at a listener that was killed. */
export function judgeMigration({ tries, error }: ProbeResult): Verdict {
  const best = bestOf(tries);
  if (!best)
    return warn(
      `listener migration could not be tried out: ${error}`,
      'see that the app runs steadily, and that its image has Node >= 22.12',
    );
  const total = sum(tries, 'connections');
  const [reset, lost] = [sum(tries, 'reset'), sum(tries, 'lost')];
  if (reset)
    return fail(
      `not migrated: ${reset} of ${total} connections that waited at a killed listener were reset`,
      SET_IT,
    );
  if (lost)
    return fail(
      `not migrated: ${lost} of ${total} connections that waited at a killed listener were never answered`,
      SET_IT,
    );
  if (best.slept) {
    return fail(
      `migrated, but ${best.slept} of ${best.connections} connections slept until another arrived (CVE-2026-46015)`,
      'update the kernel: fixed in 5.15.209, 6.1.175, 6.6.140, 6.12.86, 6.18.27, 7.0.4',
    );
  }
  if (best.slowestMs > WAKE_MS) {
    return warn(
      `migrated late: the slowest of ${best.connections} connections was answered after ${best.slowestMs} ms (limit ${WAKE_MS} ms, best of ${tries.length} tries)`,
      'the machine is busy: run this again when it is not',
    );
  }
  return ok(
    `listener migration works: ${best.connections} of ${best.connections} waiting connections answered in ${best.slowestMs} ms`,
  );
}

/** The kernel's own count of what it could not hand over or had no room for. */
export function judgeCounters(counters: Record<string, number>): Verdict {
  const bad = COUNTERS.filter((name) => counters[name]);
  const moved = counters.TCPMigrateReqSuccess ?? 0;
  if (bad.length === 0)
    return ok(`the kernel dropped no connection since the pod started (${moved} migrated)`);
  const full = counters.ListenOverflows ?? 0;
  return warn(
    `connections were dropped since the pod started: ${bad.map((name) => `${name} ${counters[name]}`).join(', ')}`,
    full
      ? 'the queue was full: raise net.core.somaxconn and the backlog of listen(), or run more children'
      : 'a stop or a crash of everything that listens counts too; if it grows with a deploy, that deploy lost requests',
  );
}

/** Room under the memory limit of a container, in MiB; no limit is endless room. */
export function roomMiB(stats: { usage?: number; limit?: number; stats?: Record<string, number> }): number {
  if (!stats.limit || stats.usage === undefined) return Infinity;
  // Cache of files is given back on demand; its name depends on the version of cgroups.
  const cache = stats.stats?.inactive_file ?? stats.stats?.total_inactive_file ?? 0;
  return Math.floor((stats.limit - stats.usage + cache) / MIB);
}

function cost({ reset, lost, slept, slowestMs }: Try): number {
  return (reset + lost + slept) * 1e6 + slowestMs;
}

/** The try that says most about the kernel and least about how busy the machine is. */
function bestOf(tries: Try[]): Try | undefined {
  return tries.toSorted((a, b) => cost(a) - cost(b))[0];
}

function sum(tries: Try[], key: keyof Try): number {
  return tries.reduce((all, one) => all + one[key], 0);
}

async function tryOut(facts: Facts): Promise<Verdict> {
  const { engine, config } = facts;
  const target = probeTarget(facts)!;
  if (target.state?.children.some((child) => child.ready) === false) {
    const why = `listener migration: not tried out, ${target.name} does not run steadily`;
    return skipped(why, 'deploy logs   shows why');
  }
  const stats = await before(
    MEMORY_TIMEOUT_MS,
    engine.docker.getContainer(target.id).stats({ stream: false, 'one-shot': true }),
  );
  const room = roomMiB(stats.memory_stats);
  if (room < NEEDED_MIB) {
    return skipped(
      `listener migration: not tried out, ${target.name} has only ${room} MiB left of its memory limit`,
      `raise mem_limit of service ${config.settings.service}`,
    );
  }
  const [command = 'node'] = config.settings.ctl || [];
  return judgeMigration(
    await probeMigration(engine, target.id, basename(command) === 'node' ? command : 'node'),
  );
}

export const MIGRATION_CHECKS: Check[] = [
  {
    id: 'migration-sysctl',
    title: 'sysctl of listener migration',
    strategy: 'reuseport',
    needs: ['engine', 'config', 'pod'],
    run: ({ netns }) => judgeSysctl(netns),
  },
  {
    id: 'migration',
    title: 'behaviour of listener migration',
    strategy: 'reuseport',
    needs: ['engine', 'config', 'pod', 'serving'],
    run: tryOut,
  },
  {
    id: 'counters',
    title: 'counters of dropped connections',
    needs: ['engine', 'config', 'pod'],
    run: ({ netns }) =>
      netns.counters
        ? judgeCounters(netns.counters)
        : skipped('counters of dropped connections: cannot be read in the pod'),
  },
];
