import { ConfigError, EXIT_CONFIG, messageOf } from './errors.ts';
import { currentRelease, isSupervisor, serve } from './handover/index.ts';

/** The release phase may run before the database has booted. */
const MIGRATE_DEADLINE_MS = 120_000;

/** Starts the role named on the command line: `node main.js [web | migrate]`. */
async function main(): Promise<void> {
  if (process.argv[2] === 'migrate') await migrateOnce();
  else await (isSupervisor() ? supervise() : serveWeb());
}

/**
 * The children are forked first and load while the configuration is checked here: a deploy waits for this boot. Express
 * and the drivers are for the children alone.
 */
async function supervise(): Promise<void> {
  const supervising = serve(null);
  supervising.catch(() => {}); // the configuration may be the reason, and is the better message
  await readConfig();
  await supervising;
}

async function serveWeb(): Promise<void> {
  const config = await readConfig();
  const [{ createLogger }, { createWeb }] = await Promise.all([import('./log.ts'), import('./web/index.ts')]);
  const log = createLogger(config.logLevel, { release: currentRelease() });
  const web = createWeb(config, currentRelease(), log);
  await serve(web.listener, { inside: web.inside, warmUp: web.warmUp, onClose: web.close });
}

/** Brings the database up to this image and ends: the release phase of a platform. */
async function migrateOnce(): Promise<void> {
  const { database } = await readConfig();
  const [{ createLogger }, { createDatabase }, { connect }] = await Promise.all([
    import('./log.ts'),
    import('./db/pool.ts'),
    import('./db/connect.ts'),
  ]);
  const pool = createDatabase({ ...database, pool: 1 });
  await connect(pool, createLogger('info', { release: currentRelease() }), MIGRATE_DEADLINE_MS);
  await pool.close();
}

async function readConfig() {
  const { loadConfig } = await import('./config.ts');
  return loadConfig(process.env, process.argv.slice(2));
}

main().catch((error: unknown) => {
  const config = error instanceof ConfigError;
  // Each process finds the same problems; one tells them.
  if (!config || isSupervisor()) process.stderr.write(`cannot start: ${messageOf(error)}\n`);
  process.exit(config ? EXIT_CONFIG : 1);
});
