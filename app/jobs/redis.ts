import { Redis } from 'ioredis';
import { redisTls } from '../addresses.ts';
import { nameOf } from '../cache/connection.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

const CONNECT_TIMEOUT_MS = 2000;
/** What a request may wait for Redis: it is answered 503 then. */
const COMMAND_TIMEOUT_MS = 2000;
const MAX_RETRY_MS = 2000;

/**
 * A connection to the durable Redis, which is opened again for ever. A `worker` waits for it: what it has to say, that a job is
 * done, stays true. A `request` is told at once that it is not there.
 */
export function openRedis(url: string, purpose: 'worker' | 'request', log: Logger): Redis {
  const redis = new Redis(url, {
    ...redisTls(url),
    connectionName: `tasuki-${purpose}`,
    disableClientInfo: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(times * 100, MAX_RETRY_MS),
    ...(purpose === 'worker'
      ? { maxRetriesPerRequest: null } // BullMQ insists on it for the connections that wait for jobs
      : { maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: COMMAND_TIMEOUT_MS }),
  });
  let told = false;
  redis.on('error', (error) => {
    if (!told) log.warn({ node: nameOf(url), reason: messageOf(error) }, 'the redis of the jobs is lost');
    told = true;
  });
  redis.on('ready', () => {
    if (told) log.info({ node: nameOf(url) }, 'the redis of the jobs is back');
    told = false;
  });
  return redis;
}

/** Resolves when the connection can be used; rejects with the last reason after `deadlineMs`. */
export async function untilReady(redis: Redis, deadlineMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  let reason: unknown = new Error('no answer');
  const note = (error: unknown): void => void (reason = error);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(reason as Error), deadlineMs);
  redis.once('ready', resolve).on('error', note);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    redis.off('ready', resolve).off('error', note);
  }
}
