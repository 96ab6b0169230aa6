import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as z from 'zod/mini';
import {
  cacheUrlsOf,
  DATABASE_URLS,
  databaseOf,
  isDatabaseUrl,
  isRedisUrl,
  redisUrlOf,
  tlsOf,
  type Tls,
} from './addresses.ts';
import { ConfigError, messageOf } from './errors.ts';
import { isListen, LISTEN_HINT } from './handover/address.ts';
import { tracingOf, type TracingConfig } from './observe/tracing.ts';

export const ROLES = ['web', 'worker', 'jobs', 'migrate'] as const;
export type Role = (typeof ROLES)[number];

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface DatabaseConfig {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** Connections each child keeps at most. */
  pool: number;
  /** Absent: not encrypted. */
  tls?: Tls;
}

export interface JobsConfig {
  /** Jobs of each queue that a child of the worker role runs at the same time. */
  concurrency: number;
  /** After this long without a sign of life of its worker a job is given to another, in milliseconds. */
  lockMs: number;
  /** When the race clock ticks (cron, UTC); undefined: never. */
  clock: string | undefined;
}

export interface Config {
  role: Role;
  port: number;
  host: string;
  children: number;
  release: string | undefined;
  runDir: string | undefined;
  controlSocket: string | undefined;
  /** Shared with the proxy, which serves the static files from it; absent on a PaaS. */
  assetsDir: string | undefined;
  drainTimeoutMs: number;
  database: DatabaseConfig;
  /** Durable: jobs and nothing else. */
  redisUrl: string | undefined;
  jobs: JobsConfig;
  /** Where files are dropped for the workers; absent: nowhere. */
  dropDir: string | undefined;
  /** Of the dashboard; absent: there is none. */
  adminPassword: string | undefined;
  /** Volatile, one or several nodes; where there is one Redis, that one. Empty: nothing is shared. */
  cacheUrls: string[];
  logLevel: (typeof LOG_LEVELS)[number];
  trustProxy: boolean | number | string;
  /** Whether those proxies say by X-Forwarded-Host what the client asked for; else it is in Host. */
  forwardedHost: boolean;
  bodyLimit: number;
  /** A request without an answer after this long gets one. */
  requestTimeoutMs: number;
  /** Writes from one address in a minute; 0: no limit. */
  rateLimit: number;
  /** Absent: requests and jobs are not traced. */
  tracing: TracingConfig | undefined;
}

/** What a variable is when it is not set; none of them is secret. */
const DEFAULTS = {
  PORT: '3000',
  HOST: '0.0.0.0',
  WEB_CONCURRENCY: String(availableParallelism()),
  DRAIN_TIMEOUT_MS: '25000',
  DATABASE_POOL: '10',
  JOB_CONCURRENCY: '10',
  JOB_LOCK_MS: '30000',
  RACE_CLOCK: '* * * * *',
  REDIS_TLS_VERIFY: 'true',
  LOG_LEVEL: 'info',
  TRUST_PROXY: 'loopback',
  FORWARDED_HOST: 'true',
  BODY_LIMIT: '1mb',
  REQUEST_TIMEOUT_MS: '20000',
  RATE_LIMIT: '300',
};

/**
 * A dyno is reached through the platform's router only, which adds the client's address last. It leaves Host as it was, and lets
 * pass what a client says in X-Forwarded-Host.
 */
const ON_A_DYNO = { TRUST_PROXY: '1', FORWARDED_HOST: 'false' };

/** Where the pod's volume is mounted; a platform without it has no such folder. */
const DEFAULT_RUN_DIR = '/run/tasuki';

const whole = (min: number, max: number) =>
  z.pipe(
    z.string().check(z.regex(/^\d+$/, 'must be a whole number')),
    z.pipe(
      z.transform(Number),
      z.number().check(z.gte(min, `must be ${min} or more`), z.lte(max, `must be ${max} or less`)),
    ),
  );

const Environment = z.object({
  PORT: whole(1, 65_535),
  HOST: z.string(),
  LISTEN: z.optional(z.string().check(z.refine(isListen, LISTEN_HINT))),
  WEB_CONCURRENCY: whole(1, 256),
  RELEASE: z.optional(
    z.string().check(z.regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ -')),
  ),
  RUN_DIR: z.optional(z.string()),
  CONTROL_SOCKET: z.optional(z.string()),
  ASSETS_DIR: z.optional(z.string()),
  DRAIN_TIMEOUT_MS: whole(0, 3_600_000),
  DATABASE_URL: z
    .string('is required, for example mysql://user@host/database')
    .check(
      z.refine(
        isDatabaseUrl,
        'must look like mysql://user@host/database (with ?ssl=off, no-verify or verify if at all)',
      ),
    ),
  DATABASE_TLS: z.optional(
    z.string().check(z.refine((word) => tlsOf(word) !== undefined, 'must be off, no-verify or verify')),
  ),
  DATABASE_PASSWORD_FILE: z.optional(z.string()),
  DATABASE_POOL: whole(1, 1000),
  REDIS_URL: z.optional(
    z.string().check(z.refine(isRedisUrl, 'must look like redis://host:6379 or rediss://host:6379')),
  ),
  CACHE_URL: z.optional(
    z
      .string()
      .check(
        z.refine(
          (text) => text.split(',').every(isRedisUrl),
          'must be redis://host:6379, or several with commas between',
        ),
      ),
  ),
  REDIS_TLS_VERIFY: z.enum(['true', 'false'], 'must be true or false'),
  JOB_CONCURRENCY: whole(1, 1000),
  JOB_LOCK_MS: whole(1000, 3_600_000),
  RACE_CLOCK: z
    .string()
    .check(
      z.regex(/^(off|[\d*/,-]+( [\d*/,-]+){4,5})$/, 'must be "off" or a cron pattern such as "* * * * *"'),
    ),
  DROP_DIR: z.optional(z.string()),
  ADMIN_PASSWORD: z.optional(z.string()),
  ADMIN_PASSWORD_FILE: z.optional(z.string()),
  RECYCLE_REQUESTS: z.optional(
    z.string().check(
      z.refine((text) => {
        const [min, max] = text.split('-').map(Number);
        return /^\d+-\d+$/.test(text) && min! > 0 && min! <= max!;
      }, 'must be a range such as 50000-100000'),
    ),
  ),
  RECYCLE_MEMORY_MB: z.optional(whole(32, 1_000_000)),
  REQUEST_TIMEOUT_MS: whole(100, 3_600_000),
  RATE_LIMIT: whole(0, 1_000_000_000),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
  TRUST_PROXY: z.string(),
  FORWARDED_HOST: z.enum(['true', 'false'], 'must be true or false'),
  BODY_LIMIT: z.string().check(z.regex(/^\d+(b|kb|mb)?$/i, 'must be a size such as 500kb or 1mb')),
});

/**
 * Reads the whole configuration from `env` and the role from `args`, or throws one ConfigError that names every
 * problem. A variable that is set but empty counts as not set: Compose writes `${NAME:-}` that way.
 */
export function loadConfig(env: Record<string, string | undefined>, args: string[] = []): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const databaseUrl = DATABASE_URLS.find((name) => given[name]) ?? DATABASE_URLS[0];
  const defaults = { ...DEFAULTS, ...(given.DYNO && ON_A_DYNO) };
  const parsed = Environment.safeParse({ ...defaults, ...given, DATABASE_URL: given[databaseUrl] });
  const problems =
    parsed.error?.issues.map(({ path: [name], message }) => {
      return `${name === 'DATABASE_URL' ? databaseUrl : String(name)} ${message}`;
    }) ?? [];

  const role = ROLES.find((name) => name === (args[0] ?? 'web'));
  if (!role) problems.push(`role "${args[0]}" is unknown; known: ${ROLES.join(', ')}`);
  if (args.length > 1 && role !== 'jobs') problems.push(`unexpected argument "${args[1]}"`);
  if (parsed.success && (role === 'worker' || role === 'jobs') && !given.REDIS_URL)
    problems.push(`REDIS_URL is required for the role ${role}, for example redis://host:6379`);

  const password = readPassword('DATABASE_PASSWORD_FILE', given, problems);
  const adminPassword = readPassword('ADMIN_PASSWORD_FILE', given, problems) ?? given.ADMIN_PASSWORD;
  const tracing = tracingOf(given, problems);
  const runDir = given.RUN_DIR ?? (existsSync(DEFAULT_RUN_DIR) ? DEFAULT_RUN_DIR : undefined);
  if (given.RUN_DIR && !existsSync(given.RUN_DIR)) problems.push(`RUN_DIR ${given.RUN_DIR} does not exist`);

  if (!parsed.success || !role || problems.length > 0) throw new ConfigError(problems);
  const ok = parsed.data;
  return {
    role,
    port: ok.PORT,
    host: ok.HOST,
    children: ok.WEB_CONCURRENCY,
    release: ok.RELEASE,
    runDir,
    controlSocket: ok.CONTROL_SOCKET,
    assetsDir: ok.ASSETS_DIR,
    drainTimeoutMs: ok.DRAIN_TIMEOUT_MS,
    database: databaseOf(ok.DATABASE_URL, password, ok.DATABASE_POOL, ok.DATABASE_TLS),
    redisUrl: ok.REDIS_URL && redisUrlOf(ok.REDIS_URL, ok),
    jobs: {
      concurrency: ok.JOB_CONCURRENCY,
      lockMs: ok.JOB_LOCK_MS,
      clock: ok.RACE_CLOCK === 'off' ? undefined : ok.RACE_CLOCK,
    },
    dropDir: ok.DROP_DIR,
    adminPassword,
    cacheUrls: cacheUrlsOf(ok),
    logLevel: ok.LOG_LEVEL,
    trustProxy: trustOf(ok.TRUST_PROXY),
    forwardedHost: ok.FORWARDED_HOST === 'true',
    bodyLimit: bytesOf(ok.BODY_LIMIT),
    requestTimeoutMs: ok.REQUEST_TIMEOUT_MS,
    rateLimit: ok.RATE_LIMIT,
    tracing,
  };
}

function readPassword(
  variable: string,
  given: Record<string, string | undefined>,
  problems: string[],
): string | undefined {
  const path = given[variable];
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    problems.push(`${variable} cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

/** Express's "trust proxy": true, false, a number of hops, or addresses. */
function trustOf(text: string): boolean | number | string {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d+$/.test(text) ? Number(text) : text;
}

function bytesOf(text: string): number {
  const factor = /mb$/i.test(text) ? 1024 * 1024 : /kb$/i.test(text) ? 1024 : 1;
  return Number.parseInt(text, 10) * factor;
}
