import type { RequestListener } from 'node:http';
import { Queue } from 'bullmq';
import type { Config } from '../config.ts';
import { connect } from '../db/connect.ts';
import { createRuns } from '../db/jobs.ts';
import { createDatabase } from '../db/pool.ts';
import { ConfigError } from '../errors.ts';
import type { Stay } from '../handover/index.ts';
import type { Logger } from '../log.ts';
import { inside } from '../observe/inside.ts';
import { createMetrics } from '../observe/metrics.ts';
import { openTracing } from '../observe/tracing.ts';
import { Consumer } from './consumer.ts';
import { DropFolder } from './drop/folder.ts';
import { createImport } from './drop/import.ts';
import { KINDS } from './kinds/index.ts';
import { createProcess, type Kind } from './process.ts';
import { queueOptions } from './queues.ts';
import { createReadiness } from './readiness.ts';
import { openRedis, untilReady } from './redis.ts';
import { scheduleClock } from './schedule.ts';
import { together } from './together.ts';
import { traced } from './traced.ts';

/** What a worker needs may be booting for the first time; it waits this long for each. */
const BOOT_DEADLINE_MS = 120_000;

export interface Workers {
  /** What only `ctl` reaches. */
  inside: RequestListener;
  /** One time of taking jobs, from admission to drain. */
  stay: () => Stay;
  warmUp: () => Promise<void>;
  close: () => Promise<void>;
}

/** The worker role: what a child does in place of serving requests. Opens connections at `warmUp`. */
export function createWorker(
  config: Config,
  release: string,
  log: Logger,
  kinds: Record<string, Kind> = KINDS,
): Workers {
  const { redisUrl, jobs } = config;
  if (!redisUrl) throw new ConfigError(['REDIS_URL is required for the role worker']);
  const database = createDatabase(config.database);
  const runs = createRuns(database);
  const redis = openRedis(redisUrl, 'worker', log);
  const race = new Queue('race', queueOptions(redis));
  race.on('error', () => {}); // told where the connection is opened
  const tracing = openTracing(config.tracing, { role: 'worker', release }, log);
  const perform = traced(createProcess(kinds, { database, runs, redis, race, log }), tracing);
  const importFile = createImport(runs);
  const metrics = createMetrics(release);
  let staying: Stay | undefined;
  metrics.gauge('jobs_running', 'Jobs that run now', () => staying?.connections ?? 0);
  metrics.gauge('jobs_taken', 'Jobs taken since this child joined', () => staying?.requests ?? 0);

  return {
    inside: inside(createReadiness({ redis, database, release }), metrics),
    stay() {
      const consumer = new Consumer({ redis, process: perform, ...jobs, log });
      const folder = config.dropDir && new DropFolder({ folder: config.dropDir, work: importFile, log });
      staying = folder ? together([consumer, folder]) : consumer;
      return staying;
    },
    async warmUp() {
      await Promise.all([connect(database, log, BOOT_DEADLINE_MS), untilReady(redis, BOOT_DEADLINE_MS)]);
      await scheduleClock(race, jobs.clock);
      await tracing.ready;
    },
    async close() {
      await Promise.all([tracing.close(), race.close()]);
      redis.disconnect();
      await database.close();
    },
  };
}
