import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command, Reply } from './main.ts';
import { DEFAULTS } from './options.ts';
import type { Counters, LoadOptions, LoadReport } from './options.ts';

export type { Counters, LoadOptions, LoadReport } from './options.ts';
export { assertLoad, judge } from './judge.ts';
export type { Judgement } from './judge.ts';

/** A command the client has not answered after this long, in milliseconds, has failed. */
const REPLY_MS = 10_000;
const POLL_MS = 20;

export type StartOptions = Partial<LoadOptions> & {
  target: string;
  /** Words put before the client's command, for example `['nsenter', '-t', pid, '-n']` to load from inside a pod. */
  enter?: string[];
};

/** Starts a load client in a process of its own; it sends from the moment this resolves. */
export async function startLoad(given: StartOptions): Promise<Load> {
  const { enter = [], ...rest } = given;
  const run = rest.run ?? `run-${randomUUID().slice(0, 8)}`;
  const dir = rest.dir ?? (await mkdtemp(join(tmpdir(), 'tasuki-load-')));
  const options: LoadOptions = {
    ...DEFAULTS,
    ...rest,
    run,
    dir,
    paths: { ...DEFAULTS.paths, ...rest.paths },
  };
  const main = join(import.meta.dirname, 'main.ts');
  const words = [...enter, process.execPath, main];
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const load = new Load(child, options);
  try {
    await load.request({ do: 'start', options });
  } catch (error) {
    load.kill();
    throw error;
  }
  return load;
}

/** A running load client. */
export class Load implements AsyncDisposable {
  readonly options: LoadOptions;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #stderr = '';
  #next = 0;
  #gone: string | null = null;

  constructor(child: ChildProcess, options: LoadOptions) {
    this.options = options;
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
    child.on('message', (reply: Reply) => {
      this.#waiting.get(reply.n)?.(reply);
      this.#waiting.delete(reply.n);
    });
    child.on('error', (error) => this.#end(error.message));
    // `close`, not `exit`: only then has all of its error output been read.
    child.on('close', (code, signal) => this.#end(`ended (${signal ?? code})`));
  }

  /** Names the moment: the report has figures for the time from each mark to the next. */
  async mark(label: string): Promise<void> {
    await this.request({ do: 'mark', label });
  }

  async counters(): Promise<Counters> {
    return (await this.request({ do: 'counters' })) as Counters;
  }

  /** Waits until the counters satisfy `wanted`; throws after `deadlineMs`. */
  async until(wanted: (counters: Counters) => boolean, deadlineMs: number): Promise<Counters> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const counters = await this.counters();
      if (wanted(counters)) return counters;
      if (performance.now() > deadline) {
        throw new Error(`load: not reached within ${deadlineMs} ms: ${JSON.stringify(counters)}`);
      }
      await delay(POLL_MS);
    }
  }

  /** Stops sending, waits for what is in flight (at most its own deadlines), and answers with the report. */
  async stop(): Promise<LoadReport> {
    const { timeoutMs, slowMs } = this.options;
    try {
      return (await this.request({ do: 'stop' }, timeoutMs + slowMs + 60_000)) as LoadReport;
    } finally {
      this.kill();
    }
  }

  /** Ends the process at once, without a report. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone !== null) return;
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.kill();
    await closed;
  }

  async request(command: Omit<Command, 'n'>, deadlineMs = REPLY_MS): Promise<unknown> {
    if (this.#gone !== null) throw new Error(`load client: ${this.#gone}`);
    const n = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.#waiting.set(n, resolve);
    const timer = setTimeout(
      () => reject(new Error(`load client: no reply to ${command.do} within ${deadlineMs} ms`)),
      deadlineMs,
    );
    this.#child.send({ ...command, n } satisfies Command, (error) => error && reject(error));
    try {
      const reply = await promise;
      if (reply.error !== undefined) throw new Error(`load client: ${reply.error}`);
      return reply.result;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(n);
    }
  }

  #end(how: string): void {
    this.#gone = `${how}\n${this.#stderr}`.trim();
    for (const [n, resolve] of this.#waiting) resolve({ n, error: this.#gone });
  }
}
