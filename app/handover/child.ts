import { rmSync } from 'node:fs';
import http from 'node:http';
import type { BoundSocket } from './bound-socket.ts';
import { DoorServer } from './door.ts';
import { onOwnPort, onPort, onSocket } from './entrance.ts';
import { Counter } from './figures.ts';
import { PublicListener } from './listener.ts';
import { USUAL } from './manner.ts';
import {
  describe,
  HandoverError,
  type CheckResult,
  type Drain,
  type Order,
  type Recycle,
  type Reply,
  type ServeOptions,
  type Stay,
} from './protocol.ts';

/** Between two looks at whether this child should be replaced. */
const TIRED_CHECK_MS = 1000;
/** For requests that are inside when a door shuts. */
const LAST_VISITORS_MS = 10_000;
const NO_DRAIN: Drain = { ms: 0, answered: 0, cut: 0 };

/**
 * A prefork child: warms up, reports ready, then does what the supervisor orders. Its private socket answers the same
 * routes as the public port, so that it can be checked before any user reaches it.
 */
export async function runChild(
  listener: http.RequestListener,
  options: ServeOptions,
  privateSocket: string,
): Promise<void> {
  // The supervisor alone decides when a child leaves; a terminal's Ctrl-C reaches the whole group.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  process.once('disconnect', () => process.exit(1)); // oxlint-disable-line unicorn/no-process-exit -- the supervisor is gone

  await options.warmUp?.();
  const inside = await openPrivate(options.inside ?? listener, privateSocket);
  const counter = new Counter();
  const { upgrade } = options;
  const doors = { preview: new DoorServer(listener, upgrade), 'stand-in': new DoorServer(listener, upgrade) };
  let stay: Stay | null = null;
  let manner = USUAL;
  let requestsBefore = 0;
  /** The drains under way: this may be told to end while it still answers what an earlier order let in. */
  const drains = new Map<Stay, Promise<Drain>>();

  const leave = async (deadlineMs: number, gently = false): Promise<Drain> => {
    const leaving = stay;
    if (!leaving) return NO_DRAIN;
    stay = null;
    const drained = leaving.drain(deadlineMs, gently);
    drains.set(leaving, drained);
    const drain = await drained.finally(() => drains.delete(leaving));
    requestsBefore += leaving.requests;
    return drain;
  };

  const makeStay = ({ path }: { path?: string }, socket?: BoundSocket): Stay => {
    if (options.stay) return options.stay();
    const onAddress = options.own ? onOwnPort : onPort;
    const entrance = socket && path ? onSocket(socket, path) : onAddress(options);
    return new PublicListener(listener, options, counter, entrance);
  };

  const obey = async (order: Order, socket?: BoundSocket): Promise<unknown> => {
    switch (order.do) {
      case 'listen': {
        if (stay) return socket?.close() ?? null;
        const next = makeStay(order, socket);
        await next.adopt(manner);
        await next.open();
        stay = next;
        return null;
      }
      case 'leave':
        return await leave(order.deadlineMs, order.gently);
      case 'alone':
        for (const one of [stay, ...drains.keys()]) one?.leftAlone?.(); // before or while it leaves
        return null;
      case 'manner':
        manner = order.manner;
        await stay?.adopt(manner);
        return null;
      case 'door':
        if (order.path) await doors[order.name].open(order.path);
        else void doors[order.name].close(LAST_VISITORS_MS);
        return null;
      case 'check':
        return await check(privateSocket, order.path, order.timeoutMs);
      case 'stats':
        return { requests: requestsBefore + (stay?.requests ?? 0), connections: stay?.connections ?? 0 };
      case 'figures':
        return counter.read();
      case 'exit': {
        const closing = Object.values(doors).map((door) => door.close(order.deadlineMs));
        const before = Promise.race([Promise.allSettled(drains.values()), deadline(order.deadlineMs)]);
        const [drain] = await Promise.all([leave(order.deadlineMs), before, ...closing]);
        inside.close();
        inside.closeAllConnections();
        await options.onClose?.();
        setImmediate(() => process.exit(0)); // oxlint-disable-line unicorn/no-process-exit -- ordered to
        return drain;
      }
      default:
        throw new HandoverError('UNKNOWN_ORDER', 'unknown order');
    }
  };

  process.on('message', (order: Order, socket?: unknown) => {
    obey(order, socket as BoundSocket | undefined).then(
      (result) => send({ id: order.id, ok: true, result }),
      (error: unknown) => send({ id: order.id, ok: false, error: describe(error) }),
    );
  });
  process.send?.({ ready: true });
  if (options.recycle) tellWhenTired(options.recycle, () => requestsBefore + (stay?.requests ?? 0));
}

function deadline(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** Asks to be replaced at a number of requests drawn at random, or above the memory limit; again until it is. */
function tellWhenTired({ minRequests, maxRequests, maxBytes }: Recycle, requests: () => number): void {
  // Infinity minus Infinity is no number: no limit at all.
  const limit = minRequests + Math.floor(Math.random() * (maxRequests - minRequests + 1)) || Infinity;
  const timer = setInterval(() => {
    const bytes = process.memoryUsage.rss();
    const tired =
      requests() >= limit
        ? `it has answered ${requests()} requests`
        : bytes > maxBytes && `it holds ${Math.round(bytes / 2 ** 20)} MiB`;
    if (tired && process.connected) process.send?.({ tired });
  }, TIRED_CHECK_MS);
  timer.unref();
}

function send(reply: Reply): void {
  if (process.connected) process.send?.(reply);
}

function openPrivate(listener: http.RequestListener, path: string): Promise<http.Server> {
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    const server = http.createServer(listener);
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

/** One GET over the private socket; a connection error or a timeout is thrown. */
function check(socketPath: string, path: string, timeoutMs: number): Promise<CheckResult> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const req = http.get(
      {
        socketPath,
        path,
        agent: false,
        signal: AbortSignal.timeout(timeoutMs),
        headers: { host: 'localhost' },
      },
      (res) => {
        let body = '';
        res.setEncoding('utf8');
        res.on('data', (chunk: string) => {
          if (body.length < 500) body += chunk;
        });
        res.on('end', () => {
          const ms = Math.round(performance.now() - start);
          resolve({ status: res.statusCode ?? 0, ms, body: body.slice(0, 500) });
        });
        res.on('error', reject);
      },
    );
    req.on('error', reject);
  });
}
