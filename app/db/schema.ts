import type { Database } from './pool.ts';

/** Seconds a child waits for another that is creating the tables. */
const LOCK_SECONDS = 30;

/**
 * `id` is the id of the request, and has no unique key on purpose: a request executed twice must show as two rows.
 * `release_id` tells which release executed it.
 */
const TABLES = [
  `CREATE TABLE IF NOT EXISTS updates (
    seq bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    id varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    text varchar(280) NOT NULL,
    release_id varchar(64) CHARACTER SET ascii COLLATE ascii_bin,
    at datetime(3) NOT NULL,
    KEY id (id)
  ) CHARACTER SET utf8mb4`,
];

/**
 * Creates what is missing. Children of several instances boot at the same time, so it happens under a lock of the
 * server; when the tables are there already, which is the rule, nobody waits.
 */
export async function createSchema(database: Database): Promise<void> {
  if (await isThere(database)) return;
  await database.session(async (read) => {
    const timeoutMs = (LOCK_SECONDS + 5) * 1000;
    await read("SELECT GET_LOCK(CONCAT(DATABASE(), '.schema'), ?)", [LOCK_SECONDS], timeoutMs);
    try {
      for (const table of TABLES) await read(table, [], timeoutMs);
    } finally {
      await read("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.schema'))");
    }
  });
}

async function isThere(database: Database): Promise<boolean> {
  const found = await database.read(
    "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'updates'",
  );
  return found.length > 0;
}
