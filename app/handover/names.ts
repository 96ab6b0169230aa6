import { randomBytes } from 'node:crypto';
import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import { basename, dirname, join } from 'node:path';

/** Names of sockets in a folder: several may lead to one socket, and one is put in another's place without a gap. */

/** Between the binding of a socket and its first listening, nobody is behind it; so long that cannot take. */
const DEAD_AFTER_MS = 60_000;

/** A name beside `path` that nobody has. */
export function nameBeside(path: string): string {
  return `${path}.${randomBytes(4).toString('hex')}`;
}

/** Whether a connection to a socket would be taken, now or when its turn comes. A full queue has somebody behind it. */
export function isListened(target: net.NetConnectOpts): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(target);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EAGAIN'));
  });
}

/** Whether two names lead to one socket. */
export async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(() => null)));
  return a != null && b != null && a.ino === b.ino && a.dev === b.dev;
}

/** Lets `name` lead where `to` does, from one moment to the next. False when there is no `to`. */
export async function pointAt(name: string, to: string): Promise<boolean> {
  const fresh = nameBeside(name);
  try {
    await link(to, fresh);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  await rename(fresh, name);
  await rm(fresh, { force: true }); // where both led to one socket already, rename() does nothing
  return true;
}

/** Removes the names that begin with `path` and have nobody behind them, left by instances that were killed. */
export async function sweep(path: string): Promise<void> {
  const all = (await readdir(dirname(path))).filter((one) => one.startsWith(`${basename(path)}.`));
  await Promise.all(
    all.map(async (one) => {
      const left = join(dirname(path), one);
      const old = await stat(left).catch(() => null);
      if (!old || Date.now() - old.mtimeMs < DEAD_AFTER_MS) return;
      if (!(await isListened({ path: left }))) await rm(left, { force: true });
    }),
  );
}
