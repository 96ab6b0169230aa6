import { Redis } from 'ioredis';
import { redisTls } from '../addresses.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

const CONNECT_TIMEOUT_MS = 1000;
/** A connection on which an answer is due and nothing comes for this long is dead, and opened anew. */
const SOCKET_TIMEOUT_MS = 2000;
const MAX_RETRY_MS = 2000;

export interface Connection {
  redis: Redis;
  /** Where it leads, without the password: `host:port`, and `/database` when it is not the first. */
  name: string;
  /** Resolves when the connection is there or has failed once. */
  settled: Promise<void>;
}

/**
 * A connection of the cache, which opens in the background and for ever tries again. Without it a command fails at
 * once, and one whose answer is lost with it is not sent again: it would write a value of the past. `lost` says in the
 * log what is missing meanwhile; one line when it is lost and one when it is back, not one per attempt.
 */
export function openConnection(url: string, lost: string, log: Logger): Connection {
  const name = nameOf(url);
  const redis = new Redis(url, {
    ...redisTls(url),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false, // news.ts does it, because it must know when
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    enableReadyCheck: false, // while Redis loads its data it refuses commands, which is a miss
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(times * 100, MAX_RETRY_MS),
  });
  const settled = new Promise<void>((resolve) => {
    redis.once('ready', () => resolve());
    redis.once('error', () => resolve());
    redis.once('end', () => resolve()); // closed before either
  });
  let told = false;
  redis.on('error', (error) => {
    if (!told) log.warn({ node: name, reason: messageOf(error) }, `redis is lost; ${lost}`);
    told = true;
  });
  redis.on('ready', () => {
    if (told) log.info({ node: name }, 'redis is back');
    told = false;
  });
  return { redis, name, settled };
}

/** Names a node by its address alone, so that a new password moves no key. Throws a TypeError when it is no URL. */
export function nameOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  const database = pathname.replace(/^\/0?$/, '');
  return `${hostname}:${port === '' ? '6379' : port}${database}`;
}
