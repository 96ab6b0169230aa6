import { loadConfig, type Config } from './config.ts';
import { ConfigError, EXIT_CONFIG, messageOf } from './errors.ts';
import { currentRelease, isSupervisor, serve } from './handover/index.ts';
import { createLogger } from './log.ts';

/** Starts the role named on the command line: `node main.js [web]`. */
async function main(): Promise<void> {
  const config = loadConfig(process.env, process.argv.slice(2));
  // The supervisor names the release in the lines that are about one.
  const log = createLogger(config.logLevel, isSupervisor() ? {} : { release: currentRelease() });
  const options = {
    port: config.port,
    host: config.host,
    children: config.children,
    drainTimeoutMs: config.drainTimeoutMs,
    ...optional(config),
    log: (level: 'info' | 'warn' | 'error', msg: string, fields: object = {}): void =>
      log[level](fields, msg),
  };
  if (isSupervisor()) {
    await serve(null, options); // forks this same file; Express and the drivers are for the children alone
    return;
  }
  const { createWeb } = await import('./web/index.ts');
  const web = await createWeb(config, currentRelease(), log);
  await serve(web.listener, { ...options, warmUp: web.warmUp, onClose: web.close });
}

/** Only what is set: an absent option and one that is `undefined` are not the same to every reader. */
function optional({ release, runDir, controlSocket }: Config): object {
  return { ...(release && { release }), ...(runDir && { runDir }), ...(controlSocket && { controlSocket }) };
}

main().catch((error: unknown) => {
  process.stderr.write(`cannot start: ${messageOf(error)}\n`);
  process.exit(error instanceof ConfigError ? EXIT_CONFIG : 1);
});
