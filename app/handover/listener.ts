import http from 'node:http';
import net from 'node:net';
import type { Entrance } from './entrance.ts';
import type { Counter } from './figures.ts';
import { USUAL } from './manner.ts';
import type { Drain, Manner, ServeOptions, Stay } from './protocol.ts';
import { Streams } from './streams.ts';

/** Longer than any proxy keeps an idle connection: the proxy closes, never this side. */
const KEEP_ALIVE_TIMEOUT_MS = 95_000;
/** So long, the connections of a gentle drain go one after the other; or a quarter of its deadline. */
const SPREAD_MS = 1000;
/** Requests that a drain has cut are named, so many. */
const MAX_NAMED = 20;

/**
 * One stay on the public port: opened at admission, drained once, then thrown away. The next admission makes a new
 * one, so nothing of an old drain can leak into it.
 */
export class PublicListener implements Stay {
  readonly #server: http.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #running = new Set<http.ServerResponse>();
  readonly #streams = new Streams();
  #isOpen = false;
  #leaving = false;
  /** When each connection is to go, of those that were open when the leaving began. */
  readonly #departures = new Map<net.Socket, number>();
  #manner = USUAL;
  /** The further listening sockets; what comes to them is served as if it had come to the first. */
  readonly #more: net.Server[] = [];
  /** One for each listening socket that was shut, resolved when the last connection that came by it is gone. */
  readonly #shut: Promise<void>[] = [];
  #answers = 0;
  #answeredAfterLeaving = 0;
  readonly #alone = new AbortController();
  /** Requests seen on this stay. */
  requests = 0;

  readonly #entrance: Entrance;
  readonly #counter: Counter;
  readonly #listener: http.RequestListener;
  /** Requests that wait for the end of a pause. */
  #waiting: [http.IncomingMessage, http.ServerResponse][] = [];

  constructor(
    listener: http.RequestListener,
    options: Pick<ServeOptions, 'keepAliveTimeoutMs' | 'upgrade'>,
    counter: Counter,
    entrance: Entrance,
  ) {
    const { keepAliveTimeoutMs = KEEP_ALIVE_TIMEOUT_MS, upgrade } = options;
    this.#entrance = entrance;
    this.#counter = counter;
    this.#listener = listener;
    this.#server = http.createServer((req, res) => {
      this.#track(res);
      if (this.#manner.hold > 0) this.#holdBack(req, res);
      else listener(req, res);
    });
    this.#server.keepAliveTimeout = keepAliveTimeoutMs;
    if (upgrade)
      this.#server.on('upgrade', (req, socket, head) => {
        this.#streams.upgraded(req, socket);
        upgrade(req, socket, head);
      });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  /** Open connections on this stay. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Listens; rejects with the system's code. */
  async open(): Promise<void> {
    await this.#entrance.listen(this.#server);
    this.#isOpen = true;
    await this.adopt(this.#manner);
  }

  /** Serves in another manner; sockets that it no longer needs are closed, and what waits at them moves to the others. */
  async adopt(manner: Manner): Promise<void> {
    this.#manner = manner;
    if (manner.closeEvery === 1) this.#closeAfterRunning();
    if (manner.hold === 0) this.#goOn();
    if (!this.#isOpen || this.#leaving || !this.#entrance.isShared) return;
    for (const server of this.#more.splice(manner.sockets - 1)) this.#shutDown(server);
    while (this.#more.length < manner.sockets - 1) {
      const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
        this.#server.emit('connection', socket),
      );
      this.#more.push(server);
      await this.#entrance.listen(server);
    }
  }

  /**
   * Leaves the port and answers what still arrives on open connections. Resolves when the last is gone or at the
   * deadline (milliseconds). `gently`: the connections go one after the other. A release that has just booted answers its first
   * requests slowly, and a queue would form if it got everybody at one moment.
   *
   * `http.Server.close()` would destroy idle keep-alive connections, and with them a request that is already on the
   * wire; so only the listener is closed here, every answer says `Connection: close`, and the peer closes what is idle.
   */
  async drain(deadlineMs: number, gently = false): Promise<Drain> {
    const start = performance.now();
    this.#leaving = true;
    const spread = gently ? Math.min(SPREAD_MS, deadlineMs / 4) : 0;
    for (const socket of this.#sockets) this.#departures.set(socket, start + Math.random() * spread);
    this.#manner = { ...this.#manner, hold: 0 };
    this.#goOn();
    this.#closeAfterRunning();
    const closed = this.#entrance.lastIn(deadlineMs / 2, this.#alone.signal).then(async () => {
      for (const server of [this.#server, ...this.#more]) this.#shutDown(server);
      await Promise.all(this.#shut);
    });
    const stop = this.#streams.sendAway(this.#running, deadlineMs);
    const cut = await this.#withDeadline(closed, deadlineMs);
    stop();
    return {
      ms: Math.round(performance.now() - start),
      answered: this.#answeredAfterLeaving,
      cut: cut.length,
      cutRequests: cut.slice(0, MAX_NAMED).map(({ req }) => `${req.method} ${req.url?.split('?')[0]}`),
      streams: this.#streams.away,
    };
  }

  /** Nobody is led here any more: a drain need not wait for those who might come. */
  leftAlone(): void {
    this.#alone.abort();
  }

  /** Stops listening; the connections stay, as they would not with `http.Server.close()`. */
  #shutDown(server: net.Server): void {
    this.#shut.push(new Promise((resolve) => void net.Server.prototype.close.call(server, () => resolve())));
  }

  async #withDeadline(closed: Promise<unknown>, deadlineMs: number): Promise<http.ServerResponse[]> {
    let cut: http.ServerResponse[] = [];
    const timer = setTimeout(() => {
      cut = [...this.#running].filter((res) => !this.#streams.has(res));
      for (const socket of this.#sockets) socket.destroy();
    }, deadlineMs);
    await closed;
    clearTimeout(timer);
    return cut;
  }

  #track(res: http.ServerResponse): void {
    this.requests += 1;
    if (this.#leaving ? this.#mustGo(res) : this.#isTurn()) res.shouldKeepAlive = false;
    this.#running.add(res);
    const start = performance.now();
    res.once('close', () => {
      this.#running.delete(res);
      if (res.writableFinished) this.#counter.add(res.statusCode, performance.now() - start);
      if (this.#leaving && res.writableFinished && !this.#streams.has(res)) this.#answeredAfterLeaving += 1;
    });
  }

  #holdBack(...held: [http.IncomingMessage, http.ServerResponse]): void {
    if (this.#waiting.length < this.#manner.hold) this.#waiting.push(held);
    else held[1].writeHead(503, { 'Retry-After': '1', 'Content-Type': 'text/plain' }).end('paused\n');
  }

  /** Answers those that waited, but for those who have left. */
  #goOn(): void {
    for (const [req, res] of this.#waiting.splice(0)) if (!res.destroyed) this.#listener(req, res);
  }

  /** Whether this answer is the one of `closeEvery` that closes its connection. */
  #isTurn(): boolean {
    const { closeEvery } = this.#manner;
    return closeEvery > 0 && ++this.#answers % closeEvery === 0;
  }

  #mustGo({ req }: http.ServerResponse): boolean {
    return performance.now() >= (this.#departures.get(req.socket) ?? 0);
  }

  #closeAfterRunning(): void {
    for (const res of this.#running)
      if (!res.headersSent && (!this.#leaving || this.#mustGo(res))) res.shouldKeepAlive = false;
  }
}
