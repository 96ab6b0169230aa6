import type { RequestListener } from 'node:http';
import { createNews } from '../cache/news.ts';
import { createMaster } from '../cache/process.ts';
import { createShared } from '../cache/shared.ts';
import type { Config } from '../config.ts';
import { createCheers } from '../db/cheers.ts';
import { connect } from '../db/connect.ts';
import { createDatabase } from '../db/pool.ts';
import { readMaster } from '../db/teams.ts';
import { createJobs } from '../jobs/jobs.ts';
import type { Logger } from '../log.ts';
import { inside } from '../observe/inside.ts';
import { createMetrics } from '../observe/metrics.ts';
import { createApp } from './app.ts';
import { createRateLimit } from './rate-limit.ts';
import type { AggregateBody } from './routes/aggregate.ts';
import { renderBoard } from './routes/home.ts';

/** A database that boots for the first time needs half a minute on a small machine. */
const DATABASE_DEADLINE_MS = 120_000;
/** What twelve slow sources said is told again for this long. */
const AGGREGATE_SECONDS = 10;

export interface Web {
  listener: RequestListener;
  /** What only `ctl` reaches. */
  inside: RequestListener;
  /** Opens the connections and renders the page once, so that the first visitor waits for neither. */
  warmUp: () => Promise<void>;
  close: () => Promise<void>;
}

/** The web role: what a child serves. */
export function createWeb(config: Config, release: string, log: Logger): Web {
  const database = createDatabase(config.database);
  const news = config.cacheUrls[0] ? createNews(config.cacheUrls[0], log) : undefined;
  const master = createMaster(() => readMaster(database), { name: 'race', log, news });
  const limit = createRateLimit(config.cacheUrls[0], config.rateLimit, log);
  const metrics = createMetrics(release);
  const cheers = createCheers(database);
  const shared = createShared(config.cacheUrls, log);
  const jobs = createJobs(config.redisUrl, log);
  const aggregates = shared.namespace<AggregateBody>({
    name: 'aggregate',
    version: 1,
    ttlSeconds: AGGREGATE_SECONDS,
  });
  const work = { jobs, aggregates, adminPassword: config.adminPassword };
  const deps = { config, release, log, metrics, database, cheers, master, limit: limit.middleware, work };
  const listener = createApp(deps);
  return {
    listener,
    inside: inside(listener, metrics),
    async warmUp() {
      await connect(database, log, DATABASE_DEADLINE_MS);
      await renderBoard(deps);
    },
    async close() {
      master.close();
      news?.close();
      limit.close();
      shared.close();
      await jobs.close();
      await database.close();
    },
  };
}
