import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { LET_IN_MS } from './door.ts';

/** As much as the kernel grants: it caps this at net.core.somaxconn. */
const BACKLOG = 4096;
/** Before another try where the queue is full. */
const AGAIN_MS = 10;
/**
 * Longer than the proxy takes to look at its list (1 s) and, reloaded, keeps idle clients (`keepalive_min_timeout`, 5 s), whose
 * requests still come here. Only when nobody says that the proxy is done with it: the deployer does.
 */
const LINGER_MS = 8000;

/** How the server of a child comes by its connections. */
export interface Entrance {
  /** A child may listen several times, for a larger share. */
  readonly isShared: boolean;
  /** Rejects with the system's code, e.g. EADDRINUSE when another uid holds the port. */
  listen(server: net.Server): Promise<void>;
  /**
   * Resolves when nobody is left in the queue whom closing it would reset; at the latest after so many milliseconds. `alone`:
   * aborted once nobody is led here any more.
   */
  lastIn(ms: number, alone: AbortSignal): Promise<void>;
}

/** Listens on a port with SO_REUSEPORT. When it closes, the kernel moves who waits to another listener. */
export function onPort({ host, port }: { host: string; port: number }): Entrance {
  return {
    isShared: true,
    listen: async (server) =>
      await listening(server, () => server.listen({ host, port, reusePort: true, backlog: BACKLOG })),
    lastIn: async () => {},
  };
}

/** The same where each release has an address of its own, and the proxy has been told another before this is called. */
export function onOwnPort(address: { host: string; port: number }): Entrance {
  // What the proxy has begun before goes by what it knew then.
  return {
    ...onPort(address),
    lastIn: async (ms, alone) =>
      await wait(Math.min(LINGER_MS, ms), undefined, { signal: alone }).catch(() => {}),
  };
}

/** Listens on a unix socket that the supervisor has bound to `path`, with all other children of this instance. */
export function onSocket(socket: object, path: string): Entrance {
  return {
    isShared: false,
    listen: async (server) => await listening(server, () => server.listen(socket, BACKLOG)),
    // A listener that closes resets who is in its queue. Nobody comes any more who looks the name up now; who had looked it up
    // before is let in too.
    lastIn: async (ms) => {
      const end = performance.now() + ms;
      await wait(Math.min(LET_IN_MS, ms));
      while (performance.now() < end && (await visit(path, end - performance.now())) === 'full')
        await wait(AGAIN_MS);
    },
  };
}

function listening(server: net.Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      // An error after this (EMFILE on accept, say) concerns one connection, not the listener.
      server.on('error', () => {});
      resolve();
    });
    listen();
  });
}

/**
 * Comes to the own queue as its last visitor, and says nothing. First in is first out: when somebody has let this one in and
 * seen it off, all before it are in.
 */
function visit(path: string, ms: number): Promise<'in' | 'full'> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.setTimeout(Math.max(1, ms), () => socket.destroy());
    socket.once('connect', () => socket.end());
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EAGAIN' ? 'full' : 'in'));
    socket.once('close', () => resolve('in'));
    socket.resume();
  });
}
