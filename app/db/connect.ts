import { setTimeout as wait } from 'node:timers/promises';
import { messageOf, Unavailable } from '../errors.ts';
import type { Logger } from '../log.ts';
import { migrate, readMigrations } from './migrate.ts';
import type { Database } from './pool.ts';

const PAUSE_MS = 250;
/** While it waits, it says so this often. */
const SAY_EVERY_MS = 5000;

/**
 * Resolves when the database answers and its tables are as new as this image knows them. A database that is still
 * booting is waited for until the deadline; a wrong password or a missing database is not: waiting does not cure it.
 */
export async function connect(database: Database, log: Logger, deadlineMs: number): Promise<void> {
  const migrations = await readMigrations();
  const start = performance.now();
  let said = -Infinity;
  for (;;) {
    try {
      const ran = await migrate(database, migrations);
      if (ran.length > 0) log.info({ ran }, 'database migrated');
      const waitedMs = Math.round(performance.now() - start);
      if (said > 0) log.info({ waitedMs }, 'database is there');
      return;
    } catch (error) {
      const now = performance.now();
      const reason = reasonOf(error);
      if (!(error instanceof Unavailable)) throw new Error(`database refuses: ${reason}`, { cause: error });
      if (now - start > deadlineMs) {
        throw new Error(`no database after ${Math.round((now - start) / 1000)} s: ${reason}`, {
          cause: error,
        });
      }
      if (now - said > SAY_EVERY_MS) {
        log.warn({ reason }, 'waiting for the database');
        said = now;
      }
      await wait(PAUSE_MS);
    }
  }
}

function reasonOf(error: unknown): string {
  return messageOf(error instanceof Unavailable && error.cause ? error.cause : error);
}
