import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type http from 'node:http';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isListen, LISTEN_HINT, OWN, socketPathOf } from './address.ts';
import { runChild } from './child.ts';
import { CHILD_MARK } from './handle.ts';
import { describe, HandoverError, type Log, type Recycle, type ServeOptions } from './protocol.ts';
import { INITIAL_RELEASE } from './record.ts';
import { Supervisor } from './supervisor.ts';

export type { Drain, Log, ServeOptions, Stay } from './protocol.ts';

/** Where the supervisor is reached from inside the instance, when the options name no other place. */
export const DEFAULT_CONTROL_SOCKET = '/tmp/tasuki.sock';
const DEFAULT_RUN_DIR = '/run/tasuki';

/* oxlint-disable node/no-process-env -- the mark and the release are how a process of an instance knows what it is */

/** True in the process that supervises (PID 1 in a container); false in a prefork child. */
export function isSupervisor(): boolean {
  return process.env[CHILD_MARK] === undefined;
}

/** The release id of this instance; the same in the supervisor and its children. */
export function currentRelease(): string {
  return process.env.RELEASE || INITIAL_RELEASE;
}

/**
 * Serves `listener` (an Express app is one) so that its release can be handed over without losing a request. What the
 * options leave out comes from the environment: PORT, HOST, LISTEN, WEB_CONCURRENCY, RUN_DIR,
 * CONTROL_SOCKET, DRAIN_TIMEOUT_MS, RECYCLE_REQUESTS, RECYCLE_MEMORY_MB.
 *
 * The first process becomes the supervisor: it ignores `listener` (which may then be null), forks the children by
 * running the same script again, and obeys the deployer. In a child it warms up and waits for admission.
 * Resolves once the process does its job; rejects when it cannot boot.
 */
export async function serve(
  listener: http.RequestListener | null,
  given: Partial<ServeOptions> = {},
): Promise<void> {
  const options = { ...fromEnvironment(), ...given };
  const release = options.release || currentRelease();
  if (isSupervisor()) {
    await new Supervisor(release, options, options.log ?? logLine).run(options.controlSocket);
    return;
  }
  if (!listener) throw new TypeError('serve() needs a request listener in a child process');
  const named: http.RequestListener = (req, res) => {
    res.setHeader('X-Release', release);
    listener(req, res);
  };
  await runChild(named, options, `${options.controlSocket}.${process.pid}`);
}

/** The private sockets of the children of this instance, stale ones of children that crashed among them. */
export async function childSockets(
  controlSocket = process.env.CONTROL_SOCKET || DEFAULT_CONTROL_SOCKET,
): Promise<string[]> {
  const [folder, name] = [dirname(controlSocket), basename(controlSocket)];
  const files = (await readdir(folder)).filter((file) => file.startsWith(`${name}.`) && /\.\d+$/.test(file));
  return files.map((file) => join(folder, file));
}

function fromEnvironment(): ServeOptions & { controlSocket: string } {
  const { PORT, HOST, LISTEN, WEB_CONCURRENCY, RUN_DIR, CONTROL_SOCKET, DRAIN_TIMEOUT_MS } = process.env;
  const { RECYCLE_REQUESTS, RECYCLE_MEMORY_MB, KEEP_UNTIL, STAND_IN } = process.env;
  const socket = LISTEN ? socketPathOf(LISTEN) : undefined;
  if (LISTEN && !isListen(LISTEN)) throw new HandoverError('BAD_LISTEN', `LISTEN ${LISTEN_HINT}`);
  const keepUntil = new Date(KEEP_UNTIL ?? '');
  const recycle = readRecycle(RECYCLE_REQUESTS, RECYCLE_MEMORY_MB);
  const runDir = RUN_DIR || (existsSync(DEFAULT_RUN_DIR) ? DEFAULT_RUN_DIR : undefined);
  return {
    port: Number(PORT || 3000),
    host: HOST || '0.0.0.0',
    children: Number(WEB_CONCURRENCY || availableParallelism()),
    drainTimeoutMs: Number(DRAIN_TIMEOUT_MS || 25_000),
    controlSocket: CONTROL_SOCKET || DEFAULT_CONTROL_SOCKET,
    ...(!Number.isNaN(keepUntil.getTime()) && { keepUntil }),
    ...(STAND_IN === '1' && { standIn: true }),
    ...(socket && { socket }),
    ...(LISTEN === OWN && { own: true }),
    ...(runDir && { runDir }),
    ...(recycle && { recycle }),
  };
}

/** `RECYCLE_REQUESTS=20000-40000` and `RECYCLE_MEMORY_MB=250`; either alone will do, neither means never. */
function readRecycle(requests = '', megabytes = ''): Recycle | null {
  const range = /^(\d+)-(\d+)$/.exec(requests);
  if (!range && !Number(megabytes)) return null;
  return {
    minRequests: range ? Number(range[1]) : Infinity,
    maxRequests: range ? Number(range[2]) : Infinity,
    maxBytes: (Number(megabytes) || Infinity) * 2 ** 20,
  };
}

const logLine: Log = (level, msg, fields) => {
  process.stdout.write(`${JSON.stringify({ level, time: new Date().toISOString(), msg, ...fields })}\n`);
};

/** Ends a process that could not boot, with the reason on standard error; for `serve(...).catch(exitOnFailure)`. */
export function exitOnFailure(error: unknown): never {
  const { code, message } = describe(error);
  process.stderr.write(`cannot start: ${message} (${code})\n`);
  process.exit(1); // oxlint-disable-line unicorn/no-process-exit -- the process has nothing left to do
}
