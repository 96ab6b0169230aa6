import http from 'node:http';
import https from 'node:https';

export interface ProbeCount {
  sent: number;
  failed: number;
  /** Milliseconds of the slowest answer. */
  slowestMs: number;
  /** Answers by the release that gave them. */
  releases: Record<string, number>;
  /** The first failures, in words. */
  failures: string[];
}

export interface Answer {
  release: string | null;
  ok: boolean;
  problem: string | null;
}

const EVERY_MS = 50;
const TIMEOUT_MS = 10_000;
const KEEP_FAILURES = 5;

/**
 * A light stream of requests through the proxy for the length of a deploy: what a user would see. Connections are kept
 * open and new in turn. A 5xx, an error or no answer within 10 s counts as failed.
 */
export class Probe {
  readonly #url: URL;
  readonly #agent: http.Agent;
  readonly #count: ProbeCount = { sent: 0, failed: 0, slowestMs: 0, releases: {}, failures: [] };
  readonly #inFlight = new Set<Promise<Answer>>();
  #timer: NodeJS.Timeout | undefined;
  #onRelease: (release: string) => void = () => {};

  constructor(url: URL) {
    this.#url = url;
    this.#agent = new (url.protocol === 'https:' ? https : http).Agent({ keepAlive: true, maxSockets: 4 });
  }

  /** Starts the stream; `onRelease` hears the release of every answer. */
  start(onRelease: (release: string) => void = () => {}): void {
    this.#onRelease = onRelease;
    let turn = 0;
    this.#timer = setInterval(() => void this.send(turn++ % 2 === 0), EVERY_MS);
    void this.send(true);
  }

  /** Sends one request, on a connection that is kept (or reused) or on one of its own. Never rejects. */
  send(keep: boolean): Promise<Answer> {
    const start = performance.now();
    this.#count.sent += 1;
    const sending = this.#request(keep ? this.#agent : false).then((answer) => {
      this.#inFlight.delete(sending);
      this.#count.slowestMs = Math.max(this.#count.slowestMs, Math.round(performance.now() - start));
      if (answer.release) {
        this.#count.releases[answer.release] = (this.#count.releases[answer.release] ?? 0) + 1;
        this.#onRelease(answer.release);
      }
      if (!answer.ok) {
        this.#count.failed += 1;
        if (this.#count.failures.length < KEEP_FAILURES)
          this.#count.failures.push(answer.problem ?? 'failed');
      }
      return answer;
    });
    this.#inFlight.add(sending);
    return sending;
  }

  /** Ends the stream, waits for what is on its way (at most 10 s) and returns the count. */
  async stop(): Promise<ProbeCount> {
    clearInterval(this.#timer);
    await Promise.all(this.#inFlight);
    this.#agent.destroy();
    return this.#count;
  }

  #request(agent: http.Agent | false): Promise<Answer> {
    const client = this.#url.protocol === 'https:' ? https : http;
    return new Promise((resolve) => {
      const fail = (problem: string): void => resolve({ release: null, ok: false, problem });
      const req = client.get(
        this.#url,
        { agent, timeout: TIMEOUT_MS, headers: { 'user-agent': 'tasuki-probe' } },
        (res) => {
          const status = res.statusCode ?? 0;
          const release = res.headers['x-release'];
          res.resume();
          res.on('error', (error) => fail(`${status}, then ${error.message}`));
          res.on('end', () =>
            resolve({
              release: typeof release === 'string' ? release : null,
              ok: status < 500,
              problem: status < 500 ? null : `status ${status}`,
            }),
          );
        },
      );
      req.on('timeout', () => req.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      req.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    });
  }
}
