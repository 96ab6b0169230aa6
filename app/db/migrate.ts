import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { checkMigration, type Migration } from './migration-rules.ts';
import type { Database } from './pool.ts';

/** Seconds a process waits for another that is migrating; a statement may take as long. */
const LOCK_SECONDS = 300;
const FOLDER = new URL('./migrations/', import.meta.url);

/** What a statement that ran just before a crash answers when it runs again. */
const ALREADY_DONE = new Set([
  'ER_TABLE_EXISTS_ERROR',
  'ER_DUP_FIELDNAME',
  'ER_DUP_KEYNAME',
  'ER_CANT_DROP_FIELD_OR_KEY',
  'ER_BAD_TABLE_ERROR',
]);

interface Applied {
  version: number;
  checksum: string;
  /** Statements of the file that are done. */
  done: number;
  complete: number;
}

type Read = Database['read'];

/** Reads the numbered files, `0001-name.sql` and on without a gap, and checks each by the rules. */
export async function readMigrations(folder: URL = FOLDER): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  return await Promise.all(
    names.map(async (name, index) => {
      const version = Number(/^(\d{4})-[a-z0-9-]+\.sql$/.exec(name)?.[1]);
      if (version !== index + 1)
        throw new Error(
          `migration ${name}: expected a name that begins with ${String(index + 1).padStart(4, '0')}-`,
        );
      const text = await readFile(new URL(name, folder), 'utf8');
      const checksum = createHash('sha256').update(text).digest('hex').slice(0, 16);
      const migration = { version, name, checksum, text, statements: split(text) };
      checkMigration(migration);
      return migration;
    }),
  );
}

/**
 * Brings the database to the newest version this image knows and returns the names of what it ran. Forward only: a
 * database that is ahead belongs to a newer release and is left as it is. Under a lock of the server, so that of many
 * processes one migrates; when nothing is to be done, which is the rule, nobody waits.
 */
export async function migrate(database: Database, migrations: Migration[]): Promise<string[]> {
  if ((await missing(database.read, migrations)).length === 0) return [];
  return await database.session(async (read) => {
    const timeoutMs = (LOCK_SECONDS + 5) * 1000;
    const locked = await read<{ ok: number | null }>(
      "SELECT GET_LOCK(CONCAT(DATABASE(), '.migrate'), ?) AS ok",
      [LOCK_SECONDS],
      timeoutMs,
    );
    if (locked[0]?.ok !== 1) throw new Error(`another process has been migrating for ${LOCK_SECONDS} s`);
    try {
      await read(`CREATE TABLE IF NOT EXISTS migrations (
        version smallint unsigned NOT NULL PRIMARY KEY,
        name varchar(100) NOT NULL,
        checksum char(16) NOT NULL,
        done smallint unsigned NOT NULL,
        complete tinyint NOT NULL,
        at datetime(3) NOT NULL
      )`);
      const todo = await missing(read, migrations);
      for (const migration of todo) await apply(read, migration);
      return todo.map(({ name }) => name);
    } finally {
      await read("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.migrate'))");
    }
  });
}

/** The migrations that have not run, or not to their end. Throws when one was edited after it had run. */
async function missing(read: Read, migrations: Migration[]): Promise<Migration[]> {
  const applied = await appliedOnes(read);
  return migrations.filter((migration) => {
    const row = applied.get(migration.version);
    // One that failed in its first statement may be corrected.
    if (row && row.done > 0 && row.checksum !== migration.checksum)
      throw new Error(`migration ${migration.name} was changed after it had run: write a new one`);
    return row?.complete !== 1;
  });
}

async function appliedOnes(read: Read): Promise<Map<number, Applied>> {
  const there = await read(
    "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'migrations'",
  );
  if (there.length === 0) return new Map();
  const rows = await read<Applied>('SELECT version, checksum, done, complete FROM migrations');
  return new Map(rows.map((row) => [row.version, row]));
}

/**
 * Runs one file, statement by statement, and notes each: MySQL commits a change of a table at once, so there is no
 * taking back, only going on. Killed between a statement and its note, the next run may find that statement done.
 */
async function apply(read: Read, { version, name, checksum, statements }: Migration): Promise<void> {
  const timeoutMs = LOCK_SECONDS * 1000;
  await read(
    `INSERT INTO migrations (version, name, checksum, done, complete, at) VALUES (?, ?, ?, 0, 0, UTC_TIMESTAMP(3))
      ON DUPLICATE KEY UPDATE name = IF(done = 0, ?, name), checksum = IF(done = 0, ?, checksum)`,
    [version, name, checksum, name, checksum],
  );
  const before = (await appliedOnes(read)).get(version)?.done ?? 0;
  await read('SET autocommit = 0'); // rows go in together with their note
  try {
    for (const [index, statement] of statements.entries()) {
      if (index < before) continue;
      await read(statement, [], timeoutMs).catch((error: NodeJS.ErrnoException) => {
        const resumed = index === before && ALREADY_DONE.has(error.code ?? '');
        if (!resumed)
          throw new Error(`migration ${name}, statement ${index + 1}: ${error.message}`, { cause: error });
      });
      await read('UPDATE migrations SET done = ? WHERE version = ?', [index + 1, version]);
      await read('COMMIT');
    }
    await read('UPDATE migrations SET complete = 1, at = UTC_TIMESTAMP(3) WHERE version = ?', [version]);
    await read('COMMIT');
  } finally {
    await read('SET autocommit = 1');
  }
}

/** Statements end with a semicolon at the end of a line; comments are whole lines. */
function split(text: string): string[] {
  return text
    .replaceAll(/^--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter(Boolean);
}
