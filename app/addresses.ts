import type { ConnectionOptions } from 'node:tls';
import type { DatabaseConfig } from './config.ts';

/** The names under which a platform gives the database, its own first; the first that is set counts. */
export const DATABASE_URLS = ['DATABASE_URL', 'JAWSDB_URL', 'CLEARDB_DATABASE_URL'] as const;

/** What the environment says of Redis. */
export interface RedisVariables {
  REDIS_URL?: string | undefined;
  CACHE_URL?: string | undefined;
  REDIS_TLS_VERIFY?: string | undefined;
}

export interface Tls {
  /** False: encrypted, but whoever answers is believed to be the server. */
  rejectUnauthorized: boolean;
  /** Whether the certificate must be for the host that was asked for. */
  verifyIdentity: boolean;
}

/**
 * The TLS a word stands for, in any of the spellings that providers write after `ssl=`, `ssl-mode=` and `sslmode=`; null: none.
 * Undefined when it is not known, for that must not mean "unencrypted".
 */
export function tlsOf(word: string): Tls | null | undefined {
  switch (word.toLowerCase().replaceAll(/[-_]/g, '')) {
    case 'off':
    case 'false':
    case '0':
    case 'disable':
    case 'disabled':
      return null;
    case 'noverify':
    case 'require':
    case 'required':
      return { rejectUnauthorized: false, verifyIdentity: false };
    case 'verifyca':
      return { rejectUnauthorized: true, verifyIdentity: false };
    case 'verify':
    case 'true':
    case '1':
    case 'verifyfull':
    case 'verifyidentity':
      return { rejectUnauthorized: true, verifyIdentity: true };
    default:
      return undefined;
  }
}

/** The word for TLS in a URL, when there is one. */
function tlsWordIn(url: string): string | undefined {
  const { searchParams } = new URL(url);
  for (const name of ['ssl', 'ssl-mode', 'sslmode']) {
    const word = searchParams.get(name);
    if (word !== null) return word;
  }
  return undefined;
}

/** Whether it is a MySQL URL with host, user and database; a known word for TLS, or none; any other parameter. */
export function isDatabaseUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, pathname } = new URL(text);
  if (protocol !== 'mysql:' || hostname === '' || username === '' || !/^\/[^/]+$/.test(pathname))
    return false;
  return tlsOf(tlsWordIn(text) ?? 'off') !== undefined;
}

/**
 * Takes a URL that is one apart. Providers append parameters for other clients (`?reconnect=true`): all but the one for TLS
 * are ignored. `tlsWord` counts before that one.
 */
export function databaseOf(
  url: string,
  passwordFromFile: string | undefined,
  pool: number,
  tlsWord = tlsWordIn(url),
): DatabaseConfig {
  const { hostname, port, username, password, pathname } = new URL(url);
  const tls = tlsWord === undefined ? null : tlsOf(tlsWord);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 3306 : Number(port),
    user: decodeURIComponent(username),
    password: passwordFromFile ?? decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    pool,
    ...(tls && { tls }),
  };
}

/** Whether it is the URL of a Redis. Only `rediss:` may say how its certificate is looked at. */
export function isRedisUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol } = new URL(text);
  const word = tlsWordIn(text);
  return protocol === 'rediss:' ? Boolean(tlsOf(word ?? 'verify')) : protocol === 'redis:' && !word;
}

/**
 * The Redis servers of the cache: those of CACHE_URL, with commas between; else the one there is. Where certificates are not to
 * be verified each URL says so itself, unless it says something else: it is all that who connects is given.
 */
export function cacheUrlsOf(env: RedisVariables): string[] {
  const urls = env.CACHE_URL ? env.CACHE_URL.split(',') : env.REDIS_URL ? [env.REDIS_URL] : [];
  return urls.map((url) => redisUrlOf(url, env));
}

/** A URL with what REDIS_TLS_VERIFY says of it. */
export function redisUrlOf(text: string, { REDIS_TLS_VERIFY }: RedisVariables): string {
  const url = new URL(text);
  if (REDIS_TLS_VERIFY !== 'false' || url.protocol !== 'rediss:' || tlsWordIn(text)) return text;
  url.searchParams.set('ssl', 'no-verify');
  return url.href;
}

/** What ioredis needs beside the URL. */
export function redisTls(url: string): { tls?: ConnectionOptions } {
  const tls = new URL(url).protocol === 'rediss:' && tlsOf(tlsWordIn(url) ?? 'verify');
  if (!tls) return {}; // it would speak TLS to `redis:` too if it were told how
  const { rejectUnauthorized, verifyIdentity } = tls;
  return { tls: { rejectUnauthorized, ...(!verifyIdentity && { checkServerIdentity: () => undefined }) } };
}
