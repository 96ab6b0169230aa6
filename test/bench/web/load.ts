import { execa } from 'execa';
import { LOAD_IMAGE } from './peers.ts';

/** Where and how a side is loaded. */
export interface Shot {
  /** Id of the container whose network namespace the side's nginx listens in. */
  pod: string;
  path: string;
  connections: number;
  seconds: number;
  /** A urlencoded form to be sent by POST; absent: a GET. */
  form?: string | undefined;
}

/** What came of it. */
export interface Sample {
  perSecond: number;
  /** Latencies in milliseconds. */
  p50: number;
  p99: number;
  max: number;
  /** Bytes of one answer, headers included. */
  bytes: number;
  /** Connections that failed, answers that did not come, and answers with a status of 400 or more. */
  errors: number;
  /** The errors by kind, those there were. */
  what: string;
}

/** What peers/load/report.lua prints; times in microseconds. */
interface Printed {
  requests: number;
  took: number;
  bytes: number;
  p50: number;
  p99: number;
  max: number;
  errors: Record<string, number>;
}

/** An answer may be late: that is a latency, not an error. */
const TIMEOUT_SECONDS = 10;
const GRACE_MS = 30_000;

/** Runs wrk in the pod's network namespace: nothing of Docker is between it and nginx. */
export async function shoot(shot: Shot, signal: AbortSignal): Promise<Sample> {
  const { pod, path, connections, seconds, form } = shot;
  const where = ['--network', `container:${pod}`, ...(form ? ['--env', `FORM=${form}`] : [])];
  const wrk = [`-t1`, `-c${connections}`, `-d${seconds}s`, `--timeout`, `${TIMEOUT_SECONDS}s`];
  const words = ['run', '--rm', '--init', ...where, LOAD_IMAGE, ...wrk, `http://127.0.0.1:80${path}`];
  const options = { timeout: seconds * 1000 + GRACE_MS, cancelSignal: signal, stdin: 'ignore' } as const;
  const { stdout } = await execa('docker', words, options);
  return sampleOf(JSON.parse(stdout.slice(stdout.lastIndexOf('{"requests"'))) as Printed);
}

function sampleOf({ requests, took, bytes, p50, p99, max, errors }: Printed): Sample {
  const kinds = Object.entries(errors).filter(([, count]) => count > 0);
  return {
    perSecond: requests / (took / 1e6),
    p50: p50 / 1000,
    p99: p99 / 1000,
    max: max / 1000,
    bytes: Math.round(bytes / Math.max(1, requests)),
    errors: kinds.reduce((sum, [, count]) => sum + count, 0),
    what: kinds.map(([kind, count]) => `${kind} ${count}`).join(', '),
  };
}
