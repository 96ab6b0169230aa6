import type { Database, Value } from './pool.ts';
import { inTransaction } from './transaction.ts';

/** Why the queue gave a job out more than once, as the queue counts it. */
export interface Takes {
  /** Its worker died or hung while it ran. */
  stalled: number;
  /** A run of it failed. */
  retried: number;
  /** Its worker was stopped and gave it back. */
  handedBack: number;
}

/** Statements of one transaction. */
export type Sql = <T>(sql: string, values?: Value[]) => Promise<T[]>;

/** The table `job_runs`: every start is counted, every effect happens once. */
export interface Runs {
  /** Counts a start of the job with this idempotency key. Of two at the same time the older may be counted last. */
  start(key: string, name: string, takes: Takes): Promise<void>;
  /**
   * Runs `effect` in the transaction that marks the key as finished, and answers its result; null when a former run
   * has finished. Of two runs at the same time one waits for the other's end. Once `signal` is aborted nothing is begun.
   */
  once<T>(key: string, effect: (sql: Sql) => Promise<T>, signal?: AbortSignal): Promise<T | null>;
  /** Forgets at most 1000 keys that are older than this many days. */
  prune(days: number): Promise<void>;
}

/** Opens nothing yet. */
export function createRuns(database: Pick<Database, 'session' | 'write'>): Runs {
  return {
    async start(key, name, { stalled, retried, handedBack }) {
      await database.write(
        `INSERT INTO job_runs (id, name, starts, stalled, retried, handed_back, skipped, started_at)
         VALUES (?, ?, 1, ?, ?, ?, 0, UTC_TIMESTAMP(3)) AS new
         ON DUPLICATE KEY UPDATE starts = job_runs.starts + 1, stalled = GREATEST(job_runs.stalled, new.stalled),
           retried = GREATEST(job_runs.retried, new.retried),
           handed_back = GREATEST(job_runs.handed_back, new.handed_back)`,
        [key, name, stalled, retried, handedBack],
      );
    },

    async once<T>(key: string, effect: (sql: Sql) => Promise<T>, signal?: AbortSignal) {
      return await inTransaction(database, async (read) => {
        signal?.throwIfAborted();
        const [run] = await read<{ finished: number }>(
          'SELECT finished_at IS NOT NULL AS finished FROM job_runs WHERE id = ? FOR UPDATE',
          [key],
        );
        if (!run) throw new Error(`job ${key} was not counted as started`);
        if (run.finished === 1) {
          await read('UPDATE job_runs SET skipped = skipped + 1 WHERE id = ?', [key]);
          return null;
        }
        const result = await effect(read);
        signal?.throwIfAborted();
        await read('UPDATE job_runs SET finished_at = UTC_TIMESTAMP(3) WHERE id = ?', [key]);
        return result;
      });
    },

    async prune(days) {
      await database.write(
        'DELETE FROM job_runs WHERE started_at < UTC_TIMESTAMP(3) - INTERVAL ? DAY ORDER BY started_at LIMIT 1000',
        [days],
      );
    },
  };
}
