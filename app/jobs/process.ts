import { DelayedError, type Job, type Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Database } from '../db/pool.ts';
import type { Runs, Sql, Takes } from '../db/jobs.ts';
import type { Logger } from '../log.ts';
import type { Process } from './consumer.ts';

/** What the handlers work with. */
export interface Tools {
  database: Database;
  runs: Runs;
  redis: Redis;
  /** The background queue, for jobs that a job begins. */
  race: Queue;
  log: Logger;
}

/** One run of one job. */
export interface Run {
  /** The idempotency key: the same for every run of the job, and of no other job. */
  id: string;
  data: Record<string, unknown>;
  /** Runs before this one that failed. */
  failures: number;
  job: Job;
  tools: Tools;
  /** Aborted when the job was handed back: nothing is to be begun any more. */
  signal: AbortSignal;
  /** Shows how far it is, in percent. */
  tell: (percent: number) => Promise<void>;
  /** The effect, in one transaction, which happens once however often the job runs; null when it had happened. */
  once: <T>(effect: (sql: Sql) => Promise<T>) => Promise<T | null>;
}

export interface Kind {
  /** False for jobs that write nothing: their runs need not be counted. */
  writes: boolean;
  /** What it answers is kept with the job. */
  run: (run: Run) => Promise<unknown>;
}

/** A release that does not know a kind of job leaves it to one that does, and looks again after this long. */
const UNKNOWN_KIND_MS = 5000;

/** Runs each job by its kind, and counts it. */
export function createProcess(kinds: Record<string, Kind>, tools: Tools): Process {
  return async (queue, job, signal) => {
    const kind = kinds[job.name];
    if (!kind) {
      tools.log.warn({ name: job.name, id: job.id }, 'this release does not know this kind of job');
      await job.moveToDelayed(Date.now() + UNKNOWN_KIND_MS, job.token);
      throw new DelayedError();
    }
    const start = performance.now();
    const id = keyOf(job);
    if (kind.writes) await tools.runs.start(id, job.name, takesOf(job));
    const result = await kind.run({
      id,
      data: job.data as Record<string, unknown>,
      failures: job.attemptsMade,
      job,
      tools,
      signal,
      tell: (percent) => job.updateProgress(percent),
      once: (effect) => tools.runs.once(id, effect, signal),
    });
    const line = { queue, id, name: job.name, ...requestOf(job), ms: Math.round(performance.now() - start) };
    tools.log[kind.writes ? 'info' : 'debug'](line, 'job');
    return result;
  };
}

/** The id of the request that caused the job, as the proxy's and the app's logs have it; none where it was a clock or a file. */
export function requestOf({ data }: Job): { requestId?: string } {
  const { requestId } = (data ?? {}) as { requestId?: string };
  return requestId === undefined ? {} : { requestId };
}

/** Ids the queue made itself begin anew at 1 in a Redis that lost its data. */
function keyOf({ id = '', timestamp }: Job): string {
  return /^\d+$/.test(id) ? `${id}@${timestamp}` : id;
}

/** A start is the first, or after a failure, or after a stall; what is left was handed back. */
function takesOf({ attemptsStarted, attemptsMade, stalledCounter }: Job): Takes {
  return {
    retried: attemptsMade,
    stalled: stalledCounter,
    handedBack: Math.max(0, attemptsStarted - 1 - attemptsMade - stalledCounter),
  };
}
