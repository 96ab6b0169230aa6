import { isAbsolute } from 'node:path';

/** Where an instance takes its requests: a port that releases share, or a socket whose name goes from one to the next. */
export type Address = { host: string; port: number } | { path: string };

/** The kernel takes 107 bytes, and each release adds an ending of its own to the name. */
const LONGEST = 80;

/** The path in `LISTEN=unix:/run/tasuki/app.sock`; undefined when it is not one that a socket can have. */
export function socketPathOf(listen: string): string | undefined {
  const [scheme, path = ''] = listen.split(/:(.*)/s);
  const fits = isAbsolute(path) && !path.endsWith('/') && Buffer.byteLength(path) <= LONGEST;
  return scheme === 'unix' && fits ? path : undefined;
}

/** HOST and PORT are in a network that no other release shares; the proxy is told which one to go to. */
export const OWN = 'own';

/** Whether it is a LISTEN that is known; and what to say where not. */
export const isListen = (text: string): boolean => text === OWN || socketPathOf(text) !== undefined;
export const LISTEN_HINT = `must be ${OWN}, or like unix:/run/tasuki/app.sock, its path ${LONGEST} bytes at most`;
