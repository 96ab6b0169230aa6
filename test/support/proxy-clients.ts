import http2, { type ClientHttp2Session } from 'node:http2';
import https from 'node:https';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ResponseParser } from './load/parser.ts';

/** Clients who must not notice that the proxy itself is replaced. Each kind counts apart what its protocol allows. */

const ANSWER_MS = 10_000;
/** A handshake costs both sides a millisecond or two. */
const HANDSHAKES_EVERY_MS = 20;

/** What a kind of client has seen; nothing but `failed` is a loss. */
export interface Seen {
  answered: number;
  failed: string[];
  /**
   * HTTP/1.1: the server closed between a complete answer and the next request. HTTP/2: it said (GOAWAY) that it takes no
   * more on this connection.
   */
  closed: number;
  /**
   * A request that met such a close, and was not looked at: sent again. HTTP/2 says so by number; HTTP/1.1 ends without one byte
   * of an answer.
   */
  again: number;
}

const nothing = (): Seen => ({ answered: 0, failed: [], closed: 0, again: 0 });

/** Runs `count` clients until the signal, each `visit` after the other. */
async function repeat(count: number, signal: AbortSignal, visits: () => () => Promise<void>): Promise<void> {
  const one = async (): Promise<void> => {
    const visit = visits();
    while (!signal.aborted) await visit(); // oxlint-disable-line no-await-in-loop -- one after the other
  };
  await Promise.all(Array.from({ length: count }, one));
}

/**
 * HTTP/2 with TLS, on kept connections, `streams` requests at a time on each. A request beyond the last one that a GOAWAY names has
 * not been looked at (RFC 9113, 6.8) and is sent once more, as browsers do.
 */
export async function http2Clients(
  url: string,
  { connections, streams, signal }: { connections: number; streams: number; signal: AbortSignal },
): Promise<Seen> {
  const seen = nothing();
  const one = (): (() => Promise<void>) => {
    let session: ClientHttp2Session | null = null;
    const open = (): ClientHttp2Session => {
      const made = http2.connect(new URL(url).origin, { rejectUnauthorized: false });
      const leave = (): void => {
        if (session === made) session = null;
      };
      made.once('goaway', () => (seen.closed++, leave()));
      return made.once('close', leave).on('error', leave);
    };
    const ask = async (isSecond = false): Promise<void> => {
      session ??= open();
      const result = await request(session, url);
      if (result === null) seen.answered++;
      else if (/REFUSED_STREAM|GOAWAY_SESSION/.test(result) && !isSecond) {
        seen.again++;
        await ask(true);
      } else seen.failed.push(result);
    };
    return async () => {
      await Promise.all(Array.from({ length: streams }, () => ask()));
      if (signal.aborted) session?.close();
    };
  };
  await repeat(connections, signal, one);
  return seen;
}

/** HTTP/1.1 with TLS, a connection and a whole handshake for each request. */
export async function freshTlsClients(
  url: string,
  { connections, signal }: { connections: number; signal: AbortSignal },
): Promise<Seen> {
  const seen = nothing();
  const options = { agent: false, rejectUnauthorized: false, timeout: ANSWER_MS } as const;
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const fail = (why: string): void => (seen.failed.push(why), resolve());
      const req = https.get(url, options, (res) => {
        res.once('error', (error) => fail(`${res.statusCode}, then ${error.message}`));
        res.once('end', () => {
          if (res.statusCode !== 200) return fail(`status ${res.statusCode}`);
          seen.answered++;
          resolve();
        });
        res.resume();
      });
      req.once('timeout', () => req.destroy(new Error('no answer in time')));
      req.once('error', (error) => fail(error.message));
    });
  await repeat(connections, signal, () => async () => {
    await ask();
    await sleep(HANDSHAKES_EVERY_MS);
  });
  return seen;
}

/** Null when it was answered, else why not. */
function request(session: ClientHttp2Session, url: string): Promise<string | null> {
  return new Promise((resolve) => {
    let status = 0;
    try {
      const stream = session.request({ ':path': new URL(url).pathname });
      stream.on('response', (headers) => (status = headers[':status'] ?? 0));
      stream.setTimeout(ANSWER_MS, () => stream.destroy(new Error('no answer in time')));
      stream.once('error', (error: NodeJS.ErrnoException) => resolve(`${error.code} ${error.message}`));
      stream.once('end', () => !stream.aborted && resolve(status === 200 ? null : `status ${status}`));
      stream.once('close', () => resolve(`cut (${status})`)); // comes after the others
      stream.resume().end();
    } catch (error) {
      resolve(`${(error as NodeJS.ErrnoException).code}`);
    }
  });
}

/**
 * HTTP/1.1 on kept connections that rest up to `restMs` between two requests, longer than the proxy protects them (5 s): a server
 * may close those, but only between two answers.
 */
export async function restingClients(
  url: string,
  { connections, restMs, signal }: { connections: number; restMs: number; signal: AbortSignal },
): Promise<Seen> {
  const seen = nothing();
  const { hostname, port, pathname } = new URL(url);
  const text = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
  const one = (): (() => Promise<void>) => {
    let socket: Socket | null = null;
    const open = (): Socket => {
      const made = connect({ host: hostname, port: Number(port || 80) });
      made.on('error', () => {}); // told by the close that follows
      return made;
    };
    const ask = async (isSecond = false): Promise<void> => {
      const used = (socket ??= open());
      const { parser, bytes } = await exchange(used, text);
      if (parser.done && parser.status === 200 && parser.extra === 0) seen.answered++;
      else if (bytes === 0 && !isSecond) {
        seen.again++;
        socket = null;
        await ask(true);
        return;
      } else seen.failed.push(`${parser.stage} after ${bytes} bytes, status ${parser.status}`);
      if (!parser.done || parser.closes) {
        used.destroy();
        socket = null;
      }
    };
    return async () => {
      await ask();
      const resting = socket;
      if (resting && !(await rests(resting, Math.random() * restMs, signal, seen))) socket = null;
      if (signal.aborted) socket?.destroy();
    };
  };
  await repeat(connections, signal, one);
  return seen;
}

async function exchange(socket: Socket, text: string): Promise<{ parser: ResponseParser; bytes: number }> {
  const parser = new ResponseParser(false);
  let bytes = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ANSWER_MS);
    const over = (): void => {
      clearTimeout(timer);
      socket.off('data', read).off('close', over);
      resolve();
    };
    const read = (chunk: Buffer): void => {
      bytes += chunk.length;
      parser.feed(chunk);
      if (parser.done || parser.stage === 'bad') over();
    };
    socket.on('data', read).once('close', over);
    if (socket.destroyed) over();
    else socket.write(text);
  });
  return { parser, bytes };
}

/** Waits; false when the server has closed meanwhile. Bytes that nobody asked for, or a reset, are failures. */
async function rests(socket: Socket, ms: number, signal: AbortSignal, seen: Seen): Promise<boolean> {
  const onData = (): void => void seen.failed.push('bytes that nobody asked for');
  const onError = (error: Error): void => void seen.failed.push(`reset at rest: ${error.message}`);
  let closed = false;
  const onEnd = (): void => {
    closed = true;
    seen.closed++;
  };
  socket.on('data', onData).on('error', onError).once('end', onEnd);
  await sleep(ms, undefined, { signal }).catch(() => {});
  socket.off('data', onData).off('error', onError).off('end', onEnd);
  return !closed && !socket.destroyed;
}
