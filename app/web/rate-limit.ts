import { createHash } from 'node:crypto';
import type { RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { RedisStore, type RedisReply } from 'rate-limit-redis';
import { openConnection } from '../cache/connection.ts';
import { within } from '../cache/deadline.ts';
import { HttpError } from '../errors.ts';
import type { Logger } from '../log.ts';

const WINDOW_MS = 60_000;
/** Counting is worth this much of a visitor's time; then the request passes uncounted. */
const DEADLINE_MS = 50;

/**
 * At most `perMinute` requests from one address (one network, for IPv6) on the routes it is put before, counted in Redis
 * for all children and instances together. It fails open: without Redis nobody is refused. 0, or no URL: no limit.
 */
export function createRateLimit(
  url: string | undefined,
  perMinute: number,
  log: Logger,
): { middleware: RequestHandler; close: () => void } {
  if (!url || perMinute === 0) return { middleware: (_req, _res, next) => next(), close: () => {} };
  const { redis } = openConnection(url, 'requests are not limited', log);

  async function send(...command: [string, ...string[]]): Promise<RedisReply> {
    const answer = within(DEADLINE_MS, redis.call(...command) as Promise<RedisReply>);
    if (command[0] !== 'SCRIPT') return await answer;
    // The store keeps for good what it is told here. Without Redis it gets the name that Redis would give the script,
    // and loads it when it is first told that there is none of that name.
    return await answer.catch(() =>
      createHash('sha1')
        .update(command[2] ?? '')
        .digest('hex'),
    );
  }

  const middleware = rateLimit({
    windowMs: WINDOW_MS,
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    passOnStoreError: true,
    store: new RedisStore({ sendCommand: send, prefix: 'limit:v1:' }),
    handler: (_req, _res, next) => next(new HttpError(429, 'too_many', 'too many requests; wait a minute')),
    logger: { error: () => {}, warn: (message) => log.warn({ message }, 'rate limit') }, // the connection tells of its loss, once
  });
  return { middleware, close: () => redis.disconnect() };
}
