import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { loadConfig } from '../../app/config.ts';
import { connect } from '../../app/db/connect.ts';
import { createDatabase, type Database } from '../../app/db/pool.ts';
import { queueOptions } from '../../app/jobs/queues.ts';
import { createLogger } from '../../app/log.ts';
import { startStack, type Stack } from './containers.ts';
import { Worker } from './worker.ts';

/** The Redis and MySQL of compose.yaml, the queues in them, and workers on this host. */
export interface JobsStack {
  stack: Stack;
  /** Of the app: short locks, no race clock. */
  env: Record<string, string>;
  database: Database;
  redis: Redis;
  race: Queue;
  sources: Queue;
  /** An instance of the worker role; killed at `clear`. */
  start(change?: Record<string, string>, main?: string): Worker;
  /** The same; resolves when it takes jobs. */
  started(change?: Record<string, string>): Promise<Worker>;
  /** The instances that run. */
  running(): Worker[];
  /** Stops them as the engine does; resolves when they have ended. */
  stopAll(): Promise<void>;
  /** Kills the workers and empties Redis and what jobs wrote. */
  clear(): Promise<void>;
  down(): Promise<void>;
}

/** Starts the containers and brings the database up. */
export async function startJobs(change: Record<string, string> = {}): Promise<JobsStack> {
  const dir = await mkdtemp(join(tmpdir(), 'tasuki-jobs-'));
  const stack = await startStack({ services: ['pod', 'mysql', 'redis'] });
  const password = await stack.exec('pod', 'cat', '/run/secrets-store/mysql_password');
  const [mysqlHost, redisHost] = [await stack.address('mysql'), await stack.address('redis')];
  const env: Record<string, string> = {
    DATABASE_URL: `mysql://tasuki:${encodeURIComponent(password)}@${mysqlHost}/tasuki`,
    REDIS_URL: `redis://${redisHost}`,
    JOB_LOCK_MS: '2000',
    RACE_CLOCK: 'off',
    ...change,
  };
  const database = createDatabase(loadConfig(env).database);
  await connect(database, createLogger('silent', {}), 60_000);
  const redis = new Redis(env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  const race = new Queue('race', queueOptions(redis));
  const sources = new Queue('sources', queueOptions(redis));
  let workers: Worker[] = [];
  const killAll = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
    workers = [];
  };
  const start = (more: Record<string, string> = {}, main?: string): Worker => {
    const worker = new Worker(dir, { ...env, ...more }, main);
    workers.push(worker);
    return worker;
  };
  const running = (): Worker[] => workers.filter(({ gone }) => !gone);
  return {
    stack,
    env,
    database,
    redis,
    race,
    sources,
    start,
    async started(more) {
      const worker = start(more);
      await worker.takesJobs();
      return worker;
    },
    running,
    async stopAll() {
      const all = running();
      for (const worker of all) worker.kill('SIGTERM');
      await Promise.all(all.map((worker) => worker.ended()));
    },
    async clear() {
      await killAll();
      await redis.flushall();
      for (const table of ['cheers', 'job_runs']) await database.write(`DELETE FROM ${table}`);
    },
    async down() {
      await killAll();
      await Promise.all([race.close(), sources.close()]);
      redis.disconnect();
      await database.close();
      await stack.down();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
