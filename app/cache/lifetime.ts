/** Longer than this is not a cache any more: 30 days, in seconds. */
export const MAX_TTL_SECONDS = 30 * 24 * 3600;

/** Throws a TypeError unless it is a number of seconds above 0 and at most MAX_TTL_SECONDS. */
export function checkTtl(ttlSeconds: unknown): asserts ttlSeconds is number {
  if (typeof ttlSeconds === 'number' && ttlSeconds > 0 && ttlSeconds <= MAX_TTL_SECONDS) return;
  throw new TypeError(
    `ttlSeconds must be a number above 0 and at most ${MAX_TTL_SECONDS}, not ${String(ttlSeconds)}`,
  );
}

/** Throws a TypeError unless it is a part of the lifetime: 0 or more and less than 1. */
export function checkJitter(jitter: unknown): asserts jitter is number {
  if (typeof jitter === 'number' && jitter >= 0 && jitter < 1) return;
  throw new TypeError(`jitter must be 0 or more and less than 1, not ${String(jitter)}`);
}

/** The last look before a key is sent: throws a TypeError unless it is what Redis takes for PX, whole milliseconds. */
export function checkLifetime(ms: unknown): asserts ms is number {
  if (Number.isSafeInteger(ms) && (ms as number) > 0 && (ms as number) <= MAX_TTL_SECONDS * 1000) return;
  throw new TypeError(`a key needs a lifetime in whole milliseconds, not ${String(ms)}`);
}

/**
 * The lifetime of one key in whole milliseconds, between `ttlSeconds * (1 - jitter)` and `ttlSeconds`. Jitter only
 * shortens, so that `ttlSeconds` stays what it says: nothing older is served. Without it, keys that were stored together
 * expire together, and everything they saved is computed at one moment.
 */
export function lifetimeOf(ttlSeconds: number, jitter: number, random: () => number = Math.random): number {
  return Math.max(1, Math.floor(ttlSeconds * 1000 * (1 - jitter * random())));
}
