import type { RequestListener } from 'node:http';
import type { RequestHandler } from 'express';
import { createMaster } from '../cache/process.ts';
import type { Config } from '../config.ts';
import { createCheers } from '../db/cheers.ts';
import { connect } from '../db/connect.ts';
import { createDatabase } from '../db/pool.ts';
import { readMaster } from '../db/teams.ts';
import { createJobs } from '../jobs/jobs.ts';
import type { Logger } from '../log.ts';
import { inside } from '../observe/inside.ts';
import { createLateMetrics } from '../observe/late-metrics.ts';
import { openTracing } from '../observe/tracing.ts';
import { afterBoot } from './after-boot.ts';
import { createApp, type JobDeps } from './app.ts';
import type { AggregateBody } from './routes/aggregate.ts';
import { FIRST, REST, warmUpRoutes } from './warm-up.ts';

/** A database that boots for the first time needs half a minute on a small machine. */
const DATABASE_DEADLINE_MS = 120_000;
/** What twelve slow sources said is told again for this long. */
const AGGREGATE_SECONDS = 10;

export interface Web {
  listener: RequestListener;
  /** What only `ctl` reaches. */
  inside: RequestListener;
  /** Opens the connections and asks for the board once, so that the first visitor waits for neither. */
  warmUp: () => Promise<void>;
  close: () => Promise<void>;
}

/** The web role: what a child serves. */
export function createWeb(config: Config, release: string, log: Logger): Web {
  const database = createDatabase(config.database);
  const later = afterBoot(log);
  const [cacheUrl] = config.cacheUrls;
  const news = cacheUrl
    ? later.open(async () => (await import('../cache/news.ts')).createNews(cacheUrl, log)).opened
    : undefined;
  const master = createMaster(() => readMaster(database), { name: 'race', log, news });
  const limiter = later.open(async () => {
    const { createRateLimit } = await import('./rate-limit.ts');
    return createRateLimit(cacheUrl, config.rateLimit, log);
  });
  /** A child that has just begun has counted nothing; the others have. */
  const limit: RequestHandler = (req, res, next) =>
    limiter.current ? void limiter.current.middleware(req, res, next) : next();
  const metrics = createLateMetrics(async () =>
    (await import('../observe/metrics.ts')).createMetrics(release),
  );
  const tracing = openTracing(config.tracing, { role: 'web', release }, log);
  const cheers = createCheers(database);
  const shared = later.open(async () => {
    const { createShared } = await import('../cache/shared.ts');
    const nodes = createShared(config.cacheUrls, log);
    const aggregates = nodes.namespace<AggregateBody>({
      name: 'aggregate',
      version: 1,
      ttlSeconds: AGGREGATE_SECONDS,
    });
    return { aggregates, close: () => nodes.close() };
  });
  const jobs = createJobs(config.redisUrl, log);
  const aggregates: JobDeps['aggregates'] = {
    get: async (key, compute) =>
      await (shared.current ? shared.current.aggregates.get(key, compute) : compute()),
  };
  const work = { jobs, aggregates, adminPassword: config.adminPassword };
  const deps = { config, release, log, metrics, tracing, database, cheers, master, limit, work };
  const listener = createApp(deps);
  later.open(async () => {
    await metrics.open();
    await warmUpRoutes(listener, REST);
    return { close() {} };
  });
  return {
    listener,
    inside: inside(listener, metrics),
    async warmUp() {
      await connect(database, log, DATABASE_DEADLINE_MS);
      await warmUpRoutes(listener, FIRST);
      await tracing.ready;
      later.begin();
    },
    async close() {
      master.close();
      later.close();
      await Promise.all([tracing.close(), jobs.close()]);
      await database.close();
    },
  };
}
