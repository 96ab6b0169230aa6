import type { Queue } from 'bullmq';
import { HttpError, Unavailable } from '../errors.ts';
import type { Logger } from '../log.ts';

/** This file is all that a web child loads of the jobs until a request needs them: BullMQ is large. */

/** One source to be asked. */
export interface Asked {
  source: string;
  /** Milliseconds it takes, and whether it fails: the sources are made up. */
  delay: number;
  fail: boolean;
}

/** What came within the deadline, and what did not. */
export interface Gathered {
  /** Milliseconds. */
  ms: number;
  values: Record<string, unknown>;
  missing: { source: string; reason: string }[];
}

export interface WantedBatch {
  teams: number[];
  /** Milliseconds for each leg. */
  pause: number;
  /** A team whose first runs fail, until its attempts are spent. */
  fail: number | null;
}

/** A batch and its parts that are not done. */
export interface BatchState {
  id: string;
  /** BullMQ's word: waiting-children while parts are open. */
  state: string;
  total: number;
  done: number;
  failed: number;
  /** Whole percent of all parts, with the part done of each. */
  percent: number;
  open: { team: number; state: string; percent: number; attempts: number; reason: string | null }[];
  result: unknown;
}

/** The queues as requests use them. What needs Redis rejects with Unavailable when it is not there. */
export interface Jobs {
  gather(asked: Asked[], deadlineMs: number): Promise<Gathered>;
  /** Answers the id. */
  startBatch(wanted: WantedBatch): Promise<string>;
  /** Null when there is no such batch (any more). */
  readBatch(id: string): Promise<BatchState | null>;
  /** Lets the failed parts be done again; answers how many. */
  retryBatch(id: string): Promise<number>;
  /** For the dashboard. */
  queues: Queue[];
  close(): void;
}

export interface LazyJobs {
  /** Opened at the first call; rejects with a 503 that says why when that cannot be. */
  get(): Promise<Jobs>;
  close(): Promise<void>;
}

/** Opens nothing and loads nothing before the first `get`; without a URL it never does. */
export function createJobs(url: string | undefined, log: Logger): LazyJobs {
  let opening: Promise<Jobs> | null = null;
  return {
    async get() {
      if (!url) throw new HttpError(503, 'no_jobs', 'there is no job queue here: REDIS_URL is not set');
      opening ??= import('./client.ts').then(({ openJobs }) => openJobs(url, log));
      try {
        return await opening;
      } catch (error) {
        opening = null; // the next request tries again
        throw new Unavailable('the job queue', error);
      }
    },
    async close() {
      (await opening?.catch(() => null))?.close();
    },
  };
}
