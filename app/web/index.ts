import type { RequestListener } from 'node:http';
import type { Config } from '../config.ts';
import { connect } from '../db/connect.ts';
import { createDatabase } from '../db/pool.ts';
import { createUpdates } from '../db/updates.ts';
import type { Logger } from '../log.ts';
import { createApp } from './app.ts';
import { renderHome } from './routes/home.ts';

/** A database that boots for the first time needs half a minute on a small machine. */
const DATABASE_DEADLINE_MS = 120_000;

export interface Web {
  listener: RequestListener;
  /** Opens the connections and renders the page once, so that the first visitor waits for neither. */
  warmUp: () => Promise<void>;
  close: () => Promise<void>;
}

/** The web role: what a child serves. */
export async function createWeb(config: Config, release: string, log: Logger): Promise<Web> {
  const database = createDatabase(config.database);
  // Loaded here, so that an app without Redis does not pay for the driver.
  const views = config.redisUrl ? (await import('../db/redis.ts')).createViews(config.redisUrl, log) : null;
  const deps = { config, release, log, database, updates: createUpdates(database), views };
  return {
    listener: createApp(deps),
    async warmUp() {
      await Promise.all([connect(database, log, DATABASE_DEADLINE_MS), views?.settled()]);
      await renderHome({ ...deps, views: null }); // not a view
    },
    async close() {
      views?.close();
      await database.close();
    },
  };
}
