import { Redis } from 'ioredis';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

const CONNECT_TIMEOUT_MS = 1000;
/** A view counter is worth this much of a visitor's time, not more. */
const COMMAND_TIMEOUT_MS = 200;
const MAX_RETRY_MS = 2000;

/** The view counter. It fails open: without Redis there is no number, and the page is whole. */
export interface Views {
  /** Counts one view; the number so far, or null when Redis does not answer. */
  count(): Promise<number | null>;
  /** Throws what is wrong with Redis. */
  ping(): Promise<void>;
  /** Resolves when the connection is there or has failed once. */
  settled(): Promise<void>;
  close(): void;
}

/** Connects in the background. */
export function createViews(url: string, log: Logger): Views {
  const redis = new Redis(url, {
    enableOfflineQueue: false, // without a connection a command fails at once
    enableAutoPipelining: true,
    maxRetriesPerRequest: 0,
    disableClientInfo: true, // two commands less at boot, which a deploy waits for
    enableReadyCheck: false, // while Redis loads its data it refuses commands, which count as no answer
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(times * 100, MAX_RETRY_MS),
  });
  tell(redis, log);
  const settled = new Promise<void>((resolve) => {
    redis.once('ready', () => resolve());
    redis.once('error', () => resolve());
  });
  return {
    async count() {
      try {
        return redis.status === 'ready' ? await redis.incr('views') : null;
      } catch {
        return null;
      }
    },
    async ping() {
      await redis.ping();
    },
    settled: () => settled,
    close: () => redis.disconnect(),
  };
}

/** One line when the connection is lost and one when it is back, not one per attempt. */
function tell(redis: Redis, log: Logger): void {
  let lost = false;
  redis.on('error', (error) => {
    if (!lost) log.warn({ reason: messageOf(error) }, 'redis is lost; views are not counted');
    lost = true;
  });
  redis.on('ready', () => {
    if (lost) log.info('redis is back');
    lost = false;
  });
}
