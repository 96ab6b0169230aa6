import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { codeOf, faultOf, wantsBody } from './answer.ts';
import type { Lane, Sink, Target } from './lane.ts';
import { ResponseParser } from './parser.ts';
import { slices } from './shots.ts';
import type { Shot } from './shots.ts';

/** How long a finished `Connection: close` socket may wait for the server's FIN before we close it. */
const LINGER_MS = 5000;

interface Exchange {
  shot: Shot;
  parser: ResponseParser;
  reused: boolean;
  timer: NodeJS.Timeout | null;
}

/**
 * HTTP/1.1 on bare sockets. With `fresh`, a new TCP connection for every request and `Connection: close`; else one kept
 * connection, written to at once without a look whether the server has closed it: the harshest client there is.
 */
export class SocketLane implements Lane {
  readonly fresh: boolean;
  readonly #target: Target;
  readonly #sink: Sink;
  readonly #head: string;
  readonly #lingering = new Set<Socket>();
  #socket: Socket | null = null;
  #carried = 0;
  #current: Exchange | null = null;

  constructor(target: Target, sink: Sink, fresh: boolean) {
    this.fresh = fresh;
    this.#target = target;
    this.#sink = sink;
    const headers = {
      host: new URL(target.origin).host,
      accept: 'application/json',
      connection: fresh ? 'close' : 'keep-alive',
      ...target.headers,
    };
    this.#head = Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
  }

  send(shot: Shot): void {
    const kept = this.#socket !== null;
    const socket = this.#socket ?? this.#open();
    const parser = new ResponseParser(wantsBody(shot));
    this.#current = { shot, parser, reused: kept && this.#carried > 0, timer: null };
    this.#carried++;
    const { method, path, id, body } = shot;
    const entity =
      body === '' ? '\r\n' : `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\n${this.#head}x-request-id: ${id}\r\n${entity}`;
    if (shot.spreadMs === 0) {
      socket.write(head + body, 'latin1');
      return;
    }
    socket.write(head, 'latin1');
    const { pieces, everyMs } = slices(shot);
    let next = 0;
    const timer = setInterval(() => {
      socket.write(pieces[next++]!, 'latin1');
      if (next === pieces.length) clearInterval(timer);
    }, everyMs);
    this.#current.timer = timer;
  }

  abort(code: string): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#finish(code);
    socket?.destroy();
  }

  close(): void {
    this.#socket?.destroy();
    for (const socket of this.#lingering) socket.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: this.#target.host, port: this.#target.port, noDelay: true });
    this.#socket = socket;
    this.#carried = 0;
    socket.on('data', (chunk: Buffer) => this.#read(socket, chunk));
    socket.on('error', (error) => this.#lost(socket, codeOf(error)));
    socket.on('end', () => this.#lost(socket, 'closed'));
    socket.on('close', () => {
      this.#lingering.delete(socket);
      this.#lost(socket, 'closed');
    });
    return socket;
  }

  #read(socket: Socket, chunk: Buffer): void {
    const current = this.#current;
    if (socket !== this.#socket || current === null) {
      this.#sink.extraResponse();
      // What follows on this connection could be taken for the answer to something else.
      if (socket === this.#socket) this.#drop(socket);
      return;
    }
    const { parser, shot } = current;
    parser.feed(chunk);
    if (parser.stage === 'bad') {
      this.#drop(socket);
      return this.#finish('malformed');
    }
    if (!parser.done) return;
    if (parser.extra > 0) this.#sink.extraResponse();
    if (this.fresh || parser.closes) this.#linger(socket);
    else if (parser.extra > 0) this.#drop(socket);
    this.#finish(faultOf(shot, parser));
  }

  /** The connection is gone: an error, the end of a response without length, or an idle close. */
  #lost(socket: Socket, code: string): void {
    if (socket !== this.#socket) return;
    this.#drop(socket);
    const current = this.#current;
    if (current === null) return this.#sink.idleClose();
    const { parser, shot } = current;
    if (code === 'closed') parser.end();
    if (parser.done) return this.#finish(faultOf(shot, parser));
    this.#finish(parser.stage === 'head' && parser.status === 0 ? code : 'truncated');
  }

  #drop(socket: Socket): void {
    this.#socket = null;
    socket.destroy();
  }

  /** Leaves the closing to the server: otherwise the TIME_WAIT is ours and ports run out at 500 connections a second. */
  #linger(socket: Socket): void {
    this.#socket = null;
    this.#lingering.add(socket);
    socket.setTimeout(LINGER_MS, () => socket.destroy());
  }

  #finish(error: string): void {
    const current = this.#current;
    if (current === null) return;
    this.#current = null;
    const { shot, parser, reused, timer } = current;
    if (timer !== null) clearInterval(timer);
    const { status, bytes, release } = parser;
    this.#sink.done(this, shot, { status, error, bytes, release, reused });
  }
}
