import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import { codeOf, faultOf, wantsBody } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Lane, Sink, Target } from './lane.ts';
import { slices } from './shots.ts';
import type { Shot } from './shots.ts';

/** One request on its way. An object of its own, so that a late word about an abandoned one reaches nobody. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly shot: Shot;
  readonly answer: Answer = { status: 0, bytes: 0, release: '', requestId: '', framed: false, body: [] };
  readonly #keep: boolean;
  readonly #over: (exchange: Exchange, fault: string) => void;

  constructor(shot: Shot, over: (exchange: Exchange, fault: string) => void) {
    this.shot = shot;
    this.#keep = wantsBody(shot);
    this.#over = over;
  }

  onRequestStart(): void {}

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    const { answer } = this;
    answer.status = status;
    answer.framed = status === 204 || status === 304;
    // Raw headers: names and values in turn. Told apart by length first, since this runs for every response.
    const raw = (controller as unknown as { rawHeaders: (Buffer | string)[] }).rawHeaders;
    for (let i = 0; i < raw.length; i += 2) {
      const size = raw[i]!.length;
      if (size !== 9 && size !== 12 && size !== 14 && size !== 17) continue;
      const name = raw[i]!.toString().toLowerCase();
      if (name === 'x-release') answer.release = raw[i + 1]!.toString();
      else if (name === 'x-request-id') answer.requestId = raw[i + 1]!.toString();
      else if (name === 'content-length' || name === 'transfer-encoding') answer.framed = true;
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.answer.bytes += chunk.length;
    // undici's parser hands out views of memory it reuses.
    if (this.#keep) this.answer.body.push(Buffer.from(chunk));
  }

  onResponseEnd(): void {
    this.#over(this, faultOf(this.shot, this.answer));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    blamed.add(error);
    this.#over(this, this.answer.status > 0 ? 'truncated' : codeOf(error));
  }
}

/** Errors that have failed a request: the close of the connection that follows is not an idle one. */
const blamed = new WeakSet<Error>();

/**
 * A kept connection by undici: one Client per lane, so that the lane knows its connection. undici itself retries
 * nothing here: no retry interceptor, pipelining 1, and a request that was written fails with its socket. (A request
 * still waiting when the server closes an idle connection goes to the next connection; it was never written. The close
 * is counted.)
 */
export class UndiciLane implements Lane {
  readonly fresh = false;
  readonly #target: Target;
  readonly #sink: Sink;
  #client: Client;
  #current: Exchange | null = null;
  /** Requests this connection has carried. */
  #carried = 0;

  constructor(target: Target, sink: Sink) {
    this.#target = target;
    this.#sink = sink;
    this.#client = this.#connect();
  }

  send(shot: Shot): void {
    const exchange = new Exchange(shot, this.#over);
    this.#current = exchange;
    const headers: Record<string, string> = {
      accept: 'application/json',
      'x-request-id': shot.id,
      ...this.#target.headers,
    };
    if (shot.body !== '') headers['content-type'] = 'application/json';
    if (shot.spreadMs > 0) headers['content-length'] = String(shot.body.length);
    const { method, path } = shot;
    const body = shot.body === '' ? null : shot.spreadMs > 0 ? spread(shot) : shot.body;
    const options = { method, path, headers, body: body as Dispatcher.DispatchOptions['body'] };
    this.#client.dispatch(options, exchange);
  }

  abort(code: string): void {
    const client = this.#client;
    this.#client = this.#connect();
    if (this.#current !== null) this.#over(this.#current, code);
    void client.destroy().catch(() => {});
  }

  close(): void {
    void this.#client.destroy().catch(() => {});
  }

  readonly #over = (exchange: Exchange, error: string): void => {
    if (exchange !== this.#current) return;
    this.#current = null;
    const { status, bytes, release } = exchange.answer;
    const reused = this.#carried++ > 0;
    // After the callback that told of the end, undici still has to take the request off its queue.
    queueMicrotask(() => this.#sink.done(this, exchange.shot, { status, error, bytes, release, reused }));
  };

  #connect(): Client {
    const client = new Client(this.#target.origin, {
      pipelining: 1,
      // The driver keeps the deadlines; the connection may idle as long as the server likes.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 600_000,
      keepAliveMaxTimeout: 600_000,
      connect: { timeout: 0 },
    });
    client.on('connect', () => (this.#carried = 0));
    client.on('disconnect', (_url, _targets, error) => {
      if (client !== this.#client || blamed.has(error)) return;
      // undici's own close: after `Connection: close`, or before a hinted keep-alive timeout.
      if (codeOf(error) === 'UND_ERR_INFO') return;
      // undici has one code for all that befalls a socket; only the words tell that bytes came unasked.
      if (codeOf(error).startsWith('HPE_') || error.message === 'bad response') this.#sink.extraResponse();
      else this.#sink.idleClose();
    });
    return client;
  }
}

async function* spread(shot: Shot): AsyncGenerator<string> {
  const { pieces, everyMs } = slices(shot);
  for (const piece of pieces) {
    yield piece;
    await delay(everyMs);
  }
}
