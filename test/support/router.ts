import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

/** As published for the platform's routers: a connection to a dyno is kept so long without a request. */
export const KEEP_ALIVE_MS = 90_000;
/** Without a first byte by then the client is told H12. */
const FIRST_BYTE_MS = 30_000;
/** While no dyno is up, a request waits so long for one (H20). */
const NO_DYNO_MS = 75_000;

export interface Address {
  host: string;
  port: number;
}

/**
 * The platform's router, as far as it matters to an app: it keeps connections to dynos, chooses one at random, adds the
 * client's address last, and waits while none is up. Once a byte of a request is sent it is never sent again. Its own answers
 * carry `X-Router-Error`.
 */
export class Router implements AsyncDisposable {
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true, timeout: KEEP_ALIVE_MS, maxSockets: Infinity });
  readonly #dynos: Address[] = [];
  readonly #waiting = new Set<() => void>();

  readonly #firstByteMs: number;

  private constructor(firstByteMs: number) {
    this.#firstByteMs = firstByteMs;
    this.#server = http.createServer((req, res) => void this.#route(req, res));
    this.#server.keepAliveTimeout = 0; // clients close; what is looked at here is the other side
    this.#server.requestTimeout = 0;
  }

  static async listen({ firstByteMs = FIRST_BYTE_MS } = {}): Promise<Router> {
    const router = new Router(firstByteMs);
    await new Promise<void>((resolve) => router.#server.listen(0, '127.0.0.1', resolve));
    return router;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(dyno: Address): void {
    this.#dynos.push(dyno);
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  /** No new request goes there. Connections that are open stay so. */
  remove({ host, port }: Address): void {
    const at = this.#dynos.findIndex((dyno) => dyno.host === host && dyno.port === port);
    if (at >= 0) this.#dynos.splice(at, 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const dyno = await this.#choose();
    if (res.destroyed) return;
    if (!dyno) return fail(res, 'H20');
    const { connection: _, ...headers } = req.headers;
    const before = headers['x-forwarded-for'];
    const upstream = http.request({
      ...dyno,
      agent: this.#agent,
      method: req.method,
      path: req.url,
      headers: {
        ...headers,
        'x-forwarded-for': [before ?? [], req.socket.remoteAddress ?? ''].flat().join(', '),
        'x-forwarded-proto': 'https',
        'x-forwarded-port': '443',
        via: '1.1 router',
      },
    });
    const late = setTimeout(() => upstream.destroy(new Error('H12')), this.#firstByteMs);
    let sent = false;
    const send = (): void => {
      sent = true;
      pipeline(req, upstream, () => {});
    };
    upstream.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', send);
      else send();
    });
    upstream.once('response', (answer) => {
      clearTimeout(late);
      const { connection: _own, 'keep-alive': _hops, ...kept } = answer.headers;
      res.writeHead(answer.statusCode ?? 502, kept);
      pipeline(answer, res, (error) => error && res.destroy());
    });
    upstream.on('error', (error) => {
      clearTimeout(late);
      if (!sent && (error as NodeJS.ErrnoException).code === 'ECONNREFUSED') {
        this.remove(dyno); // it is left alone; nothing was sent, so another may get the request
        void this.#route(req, res);
      } else fail(res, error.message === 'H12' ? 'H12' : 'H13');
    });
    res.once('close', () => !res.writableFinished && upstream.destroy());
  }

  async #choose(): Promise<Address | undefined> {
    if (this.#dynos.length === 0) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        setTimeout(resolve, NO_DYNO_MS).unref();
      });
    }
    return this.#dynos[Math.floor(Math.random() * this.#dynos.length)];
  }
}

function fail(res: ServerResponse, code: string): void {
  if (res.headersSent) res.destroy();
  else res.writeHead(503, { 'X-Router-Error': code, 'Content-Type': 'text/plain' }).end(`${code}\n`);
}
