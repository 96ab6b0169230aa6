import http from 'node:http';
import net from 'node:net';
import type { Counter } from './figures.ts';
import type { Drain, Stay } from './protocol.ts';

/** As much as the kernel grants: it caps this at net.core.somaxconn. */
const BACKLOG = 4096;
/** Longer than any proxy keeps an idle connection: the proxy closes, never this side. */
const KEEP_ALIVE_TIMEOUT_MS = 95_000;

/**
 * One stay on the public port: opened at admission, drained once, then thrown away. The next admission makes a new
 * one, so nothing of an old drain can leak into it.
 */
export class PublicListener implements Stay {
  readonly #server: http.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #running = new Set<http.ServerResponse>();
  #leaving = false;
  #loose = false;
  #answeredAfterLeaving = 0;
  /** Requests seen on this stay. */
  requests = 0;

  readonly #address: { host: string; port: number };
  readonly #counter: Counter;

  constructor(
    listener: http.RequestListener,
    address: { host: string; port: number },
    counter: Counter,
    keepAliveTimeoutMs = KEEP_ALIVE_TIMEOUT_MS,
  ) {
    this.#address = address;
    this.#counter = counter;
    this.#server = http.createServer((req, res) => {
      this.#track(res);
      listener(req, res);
    });
    this.#server.keepAliveTimeout = keepAliveTimeoutMs;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Open connections on this stay. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Listens with SO_REUSEPORT; rejects with the system's code, e.g. EADDRINUSE when another uid holds the port. */
  open(): Promise<void> {
    const { host, port } = this.#address;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, reusePort: true, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        // An error after this (EMFILE on accept, say) concerns one connection, not the listener.
        this.#server.on('error', () => {});
        resolve();
      });
    });
  }

  /** While on, every response asks the peer to open a new connection for its next request. */
  loosen(on: boolean): void {
    this.#loose = on;
    if (on) this.#closeAfterRunning();
  }

  /**
   * Leaves the port and answers what still arrives on open connections. Resolves when the last is gone or at the
   * deadline (milliseconds).
   *
   * `http.Server.close()` would destroy idle keep-alive connections, and with them a request that is already on the
   * wire; so only the listener is closed here, every answer says `Connection: close`, and the peer closes what is idle.
   */
  async drain(deadlineMs: number): Promise<Drain> {
    const start = performance.now();
    this.#leaving = true;
    this.#closeAfterRunning();
    const closed = new Promise<void>((resolve) => {
      net.Server.prototype.close.call(this.#server, () => resolve());
    });
    const cut = await this.#withDeadline(closed, deadlineMs);
    return { ms: Math.round(performance.now() - start), answered: this.#answeredAfterLeaving, cut };
  }

  async #withDeadline(closed: Promise<void>, deadlineMs: number): Promise<number> {
    let cut = 0;
    const timer = setTimeout(() => {
      cut = this.#running.size;
      for (const socket of this.#sockets) socket.destroy();
    }, deadlineMs);
    await closed;
    clearTimeout(timer);
    return cut;
  }

  #track(res: http.ServerResponse): void {
    this.requests += 1;
    if (this.#leaving || this.#loose) res.shouldKeepAlive = false;
    this.#running.add(res);
    const start = performance.now();
    res.once('close', () => {
      this.#running.delete(res);
      if (res.writableFinished) this.#counter.add(res.statusCode, performance.now() - start);
      if (this.#leaving && res.writableFinished) this.#answeredAfterLeaving += 1;
    });
  }

  #closeAfterRunning(): void {
    for (const res of this.#running) if (!res.headersSent) res.shouldKeepAlive = false;
  }
}
