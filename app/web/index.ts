import type { RequestListener } from 'node:http';
import type { Config } from '../config.ts';
import { createCheers } from '../db/cheers.ts';
import { connect } from '../db/connect.ts';
import { createDatabase } from '../db/pool.ts';
import { readMaster, type Master } from '../db/teams.ts';
import type { Logger } from '../log.ts';
import { inside } from '../observe/inside.ts';
import { createMetrics } from '../observe/metrics.ts';
import { createApp } from './app.ts';
import { renderBoard } from './routes/home.ts';

/** A database that boots for the first time needs half a minute on a small machine. */
const DATABASE_DEADLINE_MS = 120_000;

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
  const master = keep(() => readMaster(database));
  const metrics = createMetrics(release);
  const deps = { config, release, log, metrics, database, cheers: createCheers(database), master };
  const listener = createApp(deps);
  return {
    listener,
    inside: inside(listener, metrics),
    async warmUp() {
      await connect(database, log, DATABASE_DEADLINE_MS);
      await renderBoard(deps);
    },
    close: () => database.close(),
  };
}

/** Loads once and keeps it; a failure is not kept. */
function keep(load: () => Promise<Master>): { get(): Promise<Master> } {
  let kept: Promise<Master> | null = null;
  return {
    get() {
      kept ??= load();
      kept.catch(() => (kept = null));
      return kept;
    },
  };
}
