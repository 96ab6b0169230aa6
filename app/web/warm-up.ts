import { IncomingMessage, ServerResponse, type RequestListener } from 'node:http';
import { Duplex } from 'node:stream';

/** Asked before a child is ready: what nearly all visitors ask, and on its way nearly all that the others use. */
export const FIRST = ['/'];
/** Asked a moment later, since each costs the boot 3 ms of CPU: the others that neither write nor wait. */
export const REST = ['/readyz', '/healthz', '/echo'];

const own = new WeakSet<object>();

/** True for a request that nobody sent: it belongs in no log and no figure. */
export function isWarmUp(req: object): boolean {
  return own.has(req);
}

/**
 * Asks the app for routes of its own, once each, so that no visitor is the first: what they use is opened, loaded and compiled
 * then. In this process and without a connection: for the board that is 4 ms more than to render it and no more. Rejects when one
 * fails.
 */
export async function warmUpRoutes(listener: RequestListener, paths: string[]): Promise<void> {
  for (const path of paths) {
    const status = await ask(listener, path);
    if (status !== 200) throw new Error(`warm-up: ${path} answered ${status}`);
  }
}

async function ask(listener: RequestListener, path: string): Promise<number> {
  const nowhere = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }) as never;
  const req = new IncomingMessage(nowhere);
  Object.assign(req, {
    method: 'GET',
    url: path,
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  });
  req.headers.host = 'localhost';
  req.push(null);
  own.add(req);
  const res = new ServerResponse(req);
  res.assignSocket(nowhere);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  res.once('finish', resolve).once('close', resolve);
  listener(req, res);
  await ended;
  res.emit('close'); // as the server does; timers are cleared then
  return res.statusCode;
}
