import type { Engine } from '../engine/docker.ts';
import { runInside } from './inside.ts';

/** What the kernel says about the pod's network namespace; a value that could not be read is absent. */
export interface Netns {
  migrateReq?: number;
  somaxconn?: number;
  /** Of /proc/net/netstat, since the pod started. */
  counters?: Record<string, number>;
}

const MIGRATE_REQ = '/proc/sys/net/ipv4/tcp_migrate_req';
const SOMAXCONN = '/proc/sys/net/core/somaxconn';
const NETSTAT = '/proc/net/netstat';
const TIMEOUT_MS = 5000;

/** Reads it by an exec in the pod. `grep` puts the file's name on every line, also when one of them is not there. */
export async function readNetns(engine: Engine, podId: string): Promise<Netns> {
  const { stdout } = await runInside(
    engine,
    podId,
    ['grep', '-H', '.', MIGRATE_REQ, SOMAXCONN, NETSTAT],
    TIMEOUT_MS,
  );
  return parseNetns(stdout);
}

/** From lines of `file:content`. */
export function parseNetns(text: string): Netns {
  const lines = text.split('\n');
  const of = (file: string): string[] =>
    lines.filter((line) => line.startsWith(`${file}:`)).map((line) => line.slice(file.length + 1));
  const number = (file: string): number | undefined => {
    const [value] = of(file);
    return value === undefined ? undefined : Number(value);
  };
  const [migrateReq, somaxconn, counters] = [
    number(MIGRATE_REQ),
    number(SOMAXCONN),
    parseTcpExt(of(NETSTAT)),
  ];
  return {
    ...(migrateReq !== undefined && { migrateReq }),
    ...(somaxconn !== undefined && { somaxconn }),
    ...(counters && { counters }),
  };
}

/** /proc/net/netstat: for each protocol a line of names, then a line of values in the same order. */
function parseTcpExt(lines: string[]): Record<string, number> | null {
  const [names, values] = lines
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(/\s+/).slice(1));
  if (!names || !values) return null;
  return Object.fromEntries(names.map((name, at) => [name, Number(values[at])]));
}
