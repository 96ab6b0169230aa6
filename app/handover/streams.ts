import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** A whole close frame from a server, with the code 1012 of the registry of RFC 6455: the service restarts, come again. */
const CLOSE_1012 = Buffer.from([0x88, 0x02, 0x03, 0xf4]);
/** Clients come again at once, all of them: they are sent over so long a time, or a quarter of the deadline. */
const SPREAD_MS = 5000;
/** For a peer that does not answer the close frame; for a stream of events that says nothing. */
const PATIENCE_MS = 2000;
/** For those that begin while the others leave. */
const LOOK_AGAIN_MS = 250;

/**
 * Answers and connections that have no end of their own: WebSockets and server-sent events. A drain does not wait for them,
 * and they are not counted as cut: their clients are made to come again, at another instance.
 */
export class Streams {
  readonly #sockets = new Set<Duplex>();
  readonly #events = new Set<ServerResponse>();
  readonly #sent = new Set<Duplex>();

  /** Keeps an upgraded connection in mind; only a WebSocket knows how to say good-bye. */
  upgraded(req: IncomingMessage, socket: Duplex): void {
    if (req.headers.upgrade?.toLowerCase() !== 'websocket') return;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Whether an answer is one of those that `sendAway` ends. */
  has(res: ServerResponse): boolean {
    return this.#events.has(res);
  }

  /** So many have been sent away. */
  get away(): number {
    return this.#sent.size + this.#events.size;
  }

  /**
   * Ends those that are open, one after the other in random order, and until it is stopped those that still begin, at once: a
   * client that comes again may be led here by a connection that a proxy has kept. Gives what stops it.
   */
  sendAway(running: Iterable<ServerResponse>, deadlineMs: number): () => void {
    const look = (spread: number): void => {
      const soon = (end: () => void): void => void setTimeout(end, Math.random() * spread);
      for (const socket of this.#sockets) {
        if (this.#sent.has(socket)) continue;
        this.#sent.add(socket);
        soon(() => closeWebSocket(socket));
      }
      for (const res of running) {
        if (this.#events.has(res) || !isEventStream(res)) continue;
        this.#events.add(res);
        soon(() => endAfterEvent(res));
      }
    };
    look(Math.min(SPREAD_MS, deadlineMs / 4));
    const again = setInterval(() => look(0), LOOK_AGAIN_MS);
    return () => clearInterval(again);
  }
}

function closeWebSocket(socket: Duplex): void {
  if (!socket.writable) return;
  socket.write(CLOSE_1012); // whoever writes to it writes whole frames, so this stands between two
  setTimeout(() => socket.end(), PATIENCE_MS).unref();
}

function isEventStream(res: ServerResponse): boolean {
  return res.headersSent && String(res.getHeader('content-type') ?? '').startsWith('text/event-stream');
}

/** Ends it behind the next event, or when none comes: what is not a whole event by then never becomes one. */
function endAfterEvent(res: ServerResponse): void {
  const quiet = setTimeout(() => res.end(), PATIENCE_MS);
  res.once('close', () => clearTimeout(quiet));
  const write = res.write.bind(res) as (...args: unknown[]) => boolean;
  const watching = (...args: unknown[]): boolean => {
    const went = write(...args);
    if (endsEvent(args[0])) res.end();
    return went;
  };
  res.write = watching as typeof res.write;
}

/** An empty line ends an event, whatever ends its lines. */
function endsEvent(chunk: unknown): boolean {
  const text =
    typeof chunk === 'string'
      ? chunk.slice(-4)
      : Buffer.from(chunk as Uint8Array)
          .subarray(-4)
          .toString('latin1');
  return /(?:\n\n|\r\r|\r\n\r\n)$/.test(text);
}
