import { rmSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { MAX_SOCKETS } from './manner.ts';
import { isListened } from './names.ts';
import { describe, HandoverError } from './protocol.ts';
import type { Supervisor } from './supervisor.ts';

const DEFAULT_DEADLINE_MS = 30_000;
const DEFAULT_CHECK_MS = 5000;
/** Requests of each child that wait during a pause: each holds a connection of the proxy. */
const MAX_HELD = 2000;

interface Request {
  id: number;
  do: string;
  path?: unknown;
  timeoutMs?: unknown;
  deadlineMs?: unknown;
  on?: unknown;
  token?: unknown;
  every?: unknown;
  sockets?: unknown;
  limit?: unknown;
  ms?: unknown;
}

/** Opens the control socket: lines of JSON, as docs/contract.md describes. Refuses a socket that is in use. */
export async function openControl(path: string, supervisor: Supervisor): Promise<void> {
  if (await isListened({ path })) {
    throw new HandoverError(
      'CONTROL_IN_USE',
      `${path} belongs to a running instance; set CONTROL_SOCKET to another`,
    );
  }
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    const server = net.createServer((socket) => hold(socket, supervisor));
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

function hold(socket: net.Socket, supervisor: Supervisor): void {
  const write = (message: object): void => {
    if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
  };
  let unwatch = (): void => {};
  const watch = (): void => {
    unwatch();
    unwatch = supervisor.watchers.add(
      () => void supervisor.state().then((state) => write({ event: 'state', state })),
    );
  };
  const lines = createInterface({ input: socket });
  lines.on('line', (line) => {
    const request = parse(line);
    if (!request) {
      write({
        id: null,
        ok: false,
        error: { code: 'BAD_REQUEST', message: 'not a line of JSON with "id" and "do"' },
      });
      return;
    }
    if (request.do === 'watch') watch();
    obey(request, supervisor, socket).then(
      (result) => write({ id: request.id, ok: true, result }),
      (error: unknown) => write({ id: request.id, ok: false, error: describe(error) }),
    );
  });
  lines.on('error', () => {}); // told by the socket
  socket.on('error', () => {}); // 'close' follows
  socket.on('close', () => {
    unwatch();
    supervisor.released(socket);
  });
}

function parse(line: string): Request | null {
  try {
    const value = JSON.parse(line) as Request;
    return typeof value.id === 'number' && typeof value.do === 'string' ? value : null;
  } catch {
    return null;
  }
}

async function obey(request: Request, supervisor: Supervisor, owner: object): Promise<unknown> {
  const deadlineMs = milliseconds(request.deadlineMs, DEFAULT_DEADLINE_MS);
  switch (request.do) {
    case 'state':
    case 'watch':
      break;
    case 'health':
      return { healthy: supervisor.healthy };
    case 'check': {
      const path =
        typeof request.path === 'string' && request.path.startsWith('/') ? request.path : '/readyz';
      return await supervisor.children.check(path, milliseconds(request.timeoutMs, DEFAULT_CHECK_MS));
    }
    case 'figures':
      return await supervisor.children.figures();
    case 'admit':
      await supervisor.admit(owner);
      break;
    case 'promote':
      await supervisor.promote();
      break;
    case 'loosen':
      await supervisor.manners.change(owner, {
        closeEvery: request.on === true ? count(request.every, 1000) : 0,
      });
      break;
    case 'weigh':
      await supervisor.manners.change(owner, { sockets: count(request.sockets, MAX_SOCKETS) });
      break;
    case 'pause':
      await supervisor.manners.pause(
        count(request.limit, MAX_HELD),
        milliseconds(request.ms, DEFAULT_DEADLINE_MS),
      );
      break;
    case 'resume':
      await supervisor.manners.pause(0, 0);
      break;
    case 'preview':
      await supervisor.doors.show(request.token ?? null);
      break;
    case 'park':
      return await supervisor.park(deadlineMs);
    case 'alone':
      await supervisor.children.askAll({ do: 'alone' });
      break;
    case 'retire':
      return await supervisor.stop(deadlineMs);
    default:
      throw new HandoverError('UNKNOWN_COMMAND', `unknown command "${request.do}"`);
  }
  return await supervisor.state();
}

/** A whole number from 1 to `max`; anything else is 1. */
function count(value: unknown, max: number): number {
  return Number.isInteger(value) && (value as number) >= 1 ? Math.min(value as number, max) : 1;
}

function milliseconds(value: unknown, fallback: number): number {
  return typeof value === 'number' && value >= 0 && value <= 3_600_000 ? value : fallback;
}
