import express, { type Express, type RequestHandler } from 'express';
import type { Config } from '../config.ts';
import type { Cheers } from '../db/cheers.ts';
import type { Database } from '../db/pool.ts';
import type { Master } from '../db/teams.ts';
import type { LazyJobs } from '../jobs/jobs.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { follow } from '../observe/requests.ts';
import type { LateTracing } from '../observe/tracing.ts';
import { assets } from './assets.ts';
import { createBoardPage } from './board-page.ts';
import { handleErrors, notFound } from './errors.ts';
import { identify, ignoreForwardedHost } from './identity.ts';
import { admin } from './routes/admin.ts';
import { aggregate, type Kept } from './routes/aggregate.ts';
import { batches } from './routes/batches.ts';
import { metrics } from './routes/metrics.ts';
import { echo } from './routes/echo.ts';
import { health } from './routes/health.ts';
import { home } from './routes/home.ts';
import { slow } from './routes/slow.ts';
import { update } from './routes/update.ts';
import { securityHeaders } from './security.ts';
import { limitTime } from './time-limit.ts';
import { trustProxy } from './trust-proxy.ts';

/** What the routes that use the job queues need. */
export interface JobDeps {
  jobs: LazyJobs;
  /** Keeps what `/aggregate` answered. */
  aggregates: Kept;
  /** Of the dashboard; absent: there is none. */
  adminPassword: string | undefined;
}

/** What the routes need; tests give their own. */
export interface Deps {
  config: Pick<Config, 'trustProxy' | 'bodyLimit' | 'logLevel' | 'requestTimeoutMs'> &
    Partial<Pick<Config, 'forwardedHost'>>;
  release: string;
  log: Logger;
  database: Pick<Database, 'read'>;
  cheers: Cheers;
  metrics: Metrics;
  /** Absent: requests are not traced. */
  tracing?: Pick<LateTracing, 'current'>;
  /** Teams, legs and runners, kept in the process. */
  master: { get(): Promise<Master> };
  /** Before routes that write. */
  limit: RequestHandler;
  /** Absent: none of those routes. */
  work?: JobDeps;
}

/** The Express app: it opens nothing and listens to nothing. */
export function createApp(deps: Deps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // every page here is fresh; hashing it would buy nothing
  app.set('query parser', 'simple'); // never throws, makes no nested objects of foreign input
  trustProxy(app, deps.config.trustProxy);

  const answerError = handleErrors(deps.log);
  app.use(identify(deps.release));
  if (deps.config.forwardedHost === false) app.use(ignoreForwardedHost);
  app.use(follow(deps.log, deps.metrics, deps.tracing));
  app.use(limitTime(deps.config.requestTimeoutMs, answerError));
  app.use(securityHeaders);
  const page = createBoardPage(deps);
  home(app, page);
  update(app, deps, page);
  echo(app, deps);
  slow(app, deps);
  if (deps.work) {
    aggregate(app, deps.release, deps.work);
    batches(app, deps, deps.work);
    admin(app, deps.work);
  }
  health(app, deps);
  metrics(app);
  app.use('/assets', assets());
  app.use(notFound);
  app.use(answerError);
  return app;
}
