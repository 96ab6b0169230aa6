import { chmodSync } from 'node:fs';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { HandoverError } from './protocol.ts';

/** A socket that has its name and does not listen yet. It is sent to children, who listen on it: all on the same queue. */
export interface BoundSocket {
  /** Ends this process's part, and removes the name it was bound to; whoever it was sent to keeps his. */
  close(): void;
}

type CreateHandle = (path: string, port: -1, addressType: -1) => BoundSocket | number;

/**
 * Binds a unix socket to a path. Every public way also listens, and a supervisor that listens takes connections it cannot
 * answer; so this is the one that node:cluster uses. Sending it (`child.send`) and `server.listen(handle)` are public. Throws a
 * HandoverError with the system's code, EADDRINUSE or ENOENT say.
 */
export function bindSocket(path: string): BoundSocket {
  const { _createServerHandle: create } = net as unknown as { _createServerHandle?: CreateHandle };
  if (!create) throw new HandoverError('NO_UNIX', `Node ${process.version} cannot bind a socket to share`);
  const bound = create(path, -1, -1);
  if (typeof bound === 'number') {
    const code = getSystemErrorName(bound);
    throw new HandoverError(code, `cannot bind ${path}: ${code}`);
  }
  chmodSync(path, 0o666); // to connect takes the right to write, and the proxy is another user
  return bound;
}
