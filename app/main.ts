import { isatty } from 'node:tty';
import type { Config } from './config.ts';
import { ConfigError, EXIT_CONFIG, messageOf } from './errors.ts';
import { currentRelease, isSupervisor, serve, type Log } from './handover/index.ts';
import { readRecord } from './handover/record.ts';

/** The release phase may run before the database has booted. */
const MIGRATE_DEADLINE_MS = 120_000;

/** Starts the role named on the command line: `node main.js [web | worker | jobs <command> | migrate]`. */
async function main(): Promise<void> {
  const role = process.argv[2];
  if (role === 'migrate') await migrateOnce();
  else if (role === 'jobs') await lookAtJobs();
  else if (isSupervisor()) await supervise(role);
  else await (role === 'worker' ? takeJobs() : serveWeb());
}

/**
 * The children are forked first and load while the configuration is checked here: a deploy waits for this boot. Express
 * and the drivers are for the children alone.
 */
async function supervise(role: string | undefined): Promise<void> {
  const prepare = async (): Promise<void> => await publish(await config);
  const readable = isatty(1) && { log: await terminalLog() };
  const supervising = serve(null, {
    prepare,
    ...readable,
    ...(role === 'worker' && { stay: onlyInChildren }),
  });
  supervising.catch(() => {}); // the configuration may be the reason, and is the better message
  const config = readConfig();
  await config;
  await supervising;
}

/** Somebody started this by hand, and reads along. */
async function terminalLog(): Promise<Log> {
  const { readable } = await import('./log-terminal.ts');
  return (level, msg, fields) => {
    const line = { level, time: new Date().toISOString(), msg, ...fields };
    process.stdout.write(readable(JSON.stringify(line)));
  };
}

/** Puts the static files where the proxy serves them. Where that fails it asks the app for them: a reason to warn, no more. */
async function publish({ assetsDir: to, role, runDir, logLevel }: Config): Promise<void> {
  if (!to || role !== 'web') return;
  try {
    const { publishAssets } = await import('./web/publish-assets.ts');
    const record = runDir ? await readRecord(runDir) : null;
    const keep = record ? [record.serving, ...record.known.slice(0, 1)] : [];
    await publishAssets({ to, release: currentRelease(), keep });
  } catch (error) {
    const { createLogger } = await import('./log.ts');
    const log = createLogger(logLevel, { release: currentRelease() });
    log.warn({ reason: messageOf(error) }, 'cannot publish the static files: the app serves them itself');
  }
}

async function serveWeb(): Promise<void> {
  const config = await readConfig();
  const [{ createLogger }, { createWeb }] = await Promise.all([import('./log.ts'), import('./web/index.ts')]);
  const log = createLogger(config.logLevel, { release: currentRelease() });
  const web = createWeb(config, currentRelease(), log);
  await serve(web.listener, { inside: web.inside, warmUp: web.warmUp, onClose: web.close });
}

/** The worker role: children that take jobs in place of requests. */
async function takeJobs(): Promise<void> {
  const config = await readConfig();
  const [{ createLogger }, { createWorker }] = await Promise.all([
    import('./log.ts'),
    import('./jobs/index.ts'),
  ]);
  const log = createLogger(config.logLevel, { release: currentRelease() });
  const worker = createWorker(config, currentRelease(), log);
  const { stay, warmUp } = worker;
  await serve(worker.inside, { stay, inside: worker.inside, warmUp, onClose: worker.close });
}

/** Tells the supervisor that there is no port to serve; only children open a stay. */
function onlyInChildren(): never {
  throw new Error('the supervisor takes no jobs');
}

/** For operators: `node main.js jobs counts | failed | retry <id>`. */
async function lookAtJobs(): Promise<void> {
  const { redisUrl } = await readConfig();
  const { runCommand } = await import('./jobs/command.ts');
  process.exitCode = await runCommand(redisUrl ?? '', process.argv.slice(3), process.stdout);
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
