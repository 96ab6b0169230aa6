import http2, { type ClientHttp2Session } from 'node:http2';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/** Between two requests of one visitor, in milliseconds. */
const PAUSE_MS = 5;

/**
 * Visitors who ask a site with TLS again and again until they are told to end: `fresh`, with a connection for each request;
 * `kept`, with one for all; `http2`, with one for all that is made anew when the server says that it leaves. A stream that it
 * refuses then has not been looked at (RFC 9113, 8.7) and is sent once more, as browsers do. None trusts, so that any
 * certificate will do.
 */
export class Visitors implements AsyncDisposable {
  readonly #url: string;
  readonly #ending = new AbortController();
  readonly #failed: string[] = [];
  readonly #answered = { fresh: 0, kept: 0, http2: 0 };
  readonly #all: Promise<unknown>;
  /** What is closed when the last answer is there. */
  readonly #closers: (() => void)[] = [];

  constructor(url: string) {
    this.#url = url;
    const visits = { fresh: this.#withAgent(false), kept: this.#withAgent(true), http2: this.#withHttp2() };
    this.#all = Promise.all(
      Object.entries(visits).map(([kind, visit]) => this.#repeat(kind as keyof typeof visits, visit)),
    );
  }

  /** What failed, and how many answers each kind had. */
  async end(): Promise<{ failed: string[]; answered: Record<string, number> }> {
    this.#ending.abort();
    await this.#all;
    for (const close of this.#closers.splice(0)) close();
    return { failed: this.#failed, answered: this.#answered };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  async #repeat(kind: 'fresh' | 'kept' | 'http2', visit: () => Promise<number>): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        const status = await visit(); // oxlint-disable-line no-await-in-loop -- a visitor waits for the answer
        if (status === 200) this.#answered[kind] += 1;
        else this.#failed.push(`${kind}: ${status}`);
      } catch (error) {
        this.#failed.push(`${kind}: ${(error as Error).message}`);
      }
      await sleep(PAUSE_MS); // oxlint-disable-line no-await-in-loop
    }
  }

  #withAgent(keepAlive: boolean): () => Promise<number> {
    const agent = new https.Agent({
      keepAlive,
      maxSockets: 1,
      rejectUnauthorized: false,
      maxCachedSessions: 0,
    });
    this.#closers.push(() => agent.destroy());
    return () =>
      new Promise((resolve, reject) => {
        const req = https.get(this.#url, { agent, timeout: 5000 }, (res) => {
          res.once('error', reject).once('end', () => resolve(res.statusCode ?? 0));
          res.resume();
        });
        req.once('error', reject).once('timeout', () => req.destroy(new Error('no answer within 5 s')));
      });
  }

  #withHttp2(): () => Promise<number> {
    let session: ClientHttp2Session | null = null;
    this.#closers.push(() => session?.close());
    const connect = (): ClientHttp2Session => {
      const made = http2.connect(this.#url, { rejectUnauthorized: false });
      const leave = (): void => {
        if (session === made) session = null;
      };
      // `goaway`: what runs is finished on it, what comes next needs another.
      return made.on('goaway', leave).on('close', leave).on('error', leave);
    };
    const visit = (): Promise<number> =>
      new Promise((resolve, reject) => {
        session ??= connect();
        const stream = session.request({ ':path': '/' });
        let status = 0;
        stream.on('response', (headers) => (status = headers[':status'] ?? 0));
        stream.setTimeout(5000, () => stream.destroy(new Error('no answer within 5 s')));
        stream.once('error', reject).once('end', () => (stream.aborted ? null : resolve(status)));
        stream.once('close', () => reject(new Error('cut'))); // comes after the others
        stream.resume().end();
      });
    return async () => {
      const used = session;
      try {
        return await visit();
      } catch (error) {
        if (!/NGHTTP2_REFUSED_STREAM/.test((error as Error).message)) throw error;
        if (session === used) session = null;
        return await visit();
      }
    };
  }
}
