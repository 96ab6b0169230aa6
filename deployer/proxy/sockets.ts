import type { Engine } from '../engine/docker.ts';
import { runInside } from '../engine/inside.ts';

/** What a container's own processes hold of the sockets of a namespace that several share. */
export interface Sockets {
  /** It has a listening socket, so new connections may come to it. */
  listens: boolean;
  /** Connections that it has accepted and not closed. */
  open: number;
}

/** States of /proc/net/tcp (include/net/tcp_states.h). */
const LISTEN = '0A';
/** TIME_WAIT and CLOSE, beside it. */
const NO_CONNECTION = new Set(['06', '07', LISTEN]);

/** All of it from inside the container: the engine may be on another machine. */
const LOOK = ['sh', '-c', 'cat /proc/net/tcp /proc/net/tcp6; ls -l /proc/[0-9]*/fd 2>/dev/null; true'];

/** Looks at the sockets of a running container. */
export async function socketsOf(engine: Engine, id: string): Promise<Sockets> {
  return readSockets(await runInside(engine, id, LOOK));
}

/** Reads the kernel's table and the open files of the container's processes, `socket:[1234]`. */
export function readSockets(text: string): Sockets {
  const own = new Set([...text.matchAll(/socket:\[(\d+)\]/g)].map(([, inode]) => inode));
  const table = [...text.matchAll(/^ *\d+: \w+:(\w{4}) \w+:\w{4} (\w\w) (?:\S+ +){5}(\d+)/gm)];
  const ports = new Set(table.filter(([, , state]) => state === LISTEN).map(([, port]) => port));
  const mine = table.filter(([, , , inode]) => own.has(inode));
  return {
    listens: mine.some(([, , state]) => state === LISTEN),
    // A connection to the app has a port of its own; one that was accepted has the listener's.
    open: mine.filter(([, port, state]) => ports.has(port) && !NO_CONNECTION.has(state ?? '')).length,
  };
}
