import express, { type Express } from 'express';
import type { Config } from '../config.ts';
import type { Cheers } from '../db/cheers.ts';
import type { Database } from '../db/pool.ts';
import type { Master } from '../db/teams.ts';
import type { Logger } from '../log.ts';
import { assets } from './assets.ts';
import { handleErrors, notFound } from './errors.ts';
import { identify } from './identity.ts';
import { logRequests } from './requests.ts';
import { echo } from './routes/echo.ts';
import { health } from './routes/health.ts';
import { home } from './routes/home.ts';
import { slow } from './routes/slow.ts';
import { update } from './routes/update.ts';
import { securityHeaders } from './security.ts';

/** What the routes need; tests give their own. */
export interface Deps {
  config: Pick<Config, 'trustProxy' | 'bodyLimit' | 'logLevel'>;
  release: string;
  log: Logger;
  database: Pick<Database, 'read'>;
  cheers: Cheers;
  /** Teams, legs and runners, kept in the process. */
  master: { get(): Promise<Master> };
}

/** The Express app: it opens nothing and listens to nothing. */
export function createApp(deps: Deps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // every page here is fresh; hashing it would buy nothing
  app.set('query parser', 'simple'); // never throws, makes no nested objects of foreign input
  app.set('trust proxy', deps.config.trustProxy);

  app.use(identify(deps.release));
  if (deps.log.isLevelEnabled('debug')) app.use(logRequests(deps.log)); // nginx logs each request already
  app.use(securityHeaders);
  app.use(home(deps));
  app.use(update(deps));
  app.use(echo(deps));
  app.use(slow(deps));
  app.use(health(deps));
  app.use('/assets', assets());
  app.use(notFound);
  app.use(handleErrors(deps.log));
  return app;
}
