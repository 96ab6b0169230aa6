import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { State } from '../../deployer/contract.ts';
import { eventually } from './containers.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');

/** One instance of a script of test/fixtures on this host, without a container: supervisor and children for real. */
export class HostInstance implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly socket: string;
  readonly #hasRecord: boolean;
  output = '';

  constructor(
    dir: string,
    port: number,
    release: string,
    env: Record<string, string> = {},
    script = 'server',
  ) {
    this.socket = join(dir, `${release || 'initial'}-${Math.random().toString(36).slice(2, 8)}.sock`);
    const own = {
      RELEASE: release,
      RUN_DIR: dir,
      PORT: String(port),
      HOST: '127.0.0.1',
      CONTROL_SOCKET: this.socket,
    };
    this.#hasRecord = (env.RUN_DIR ?? dir) !== '';
    this.process = spawn(process.execPath, [join(FIXTURES, `${script}.ts`)], {
      env: { ...process.env, WEB_CONCURRENCY: '2', DRAIN_TIMEOUT_MS: '5000', ...own, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
  }

  /** Opens a control connection; what it was lent goes back when it is closed. */
  async session(): Promise<Control> {
    return await eventually('the control socket is open', async () => await Control.open(this.socket));
  }

  async state(): Promise<State> {
    const control = await this.session();
    try {
      return (await control.ask('state')) as State;
    } finally {
      control.close();
    }
  }

  async until(phase: State['phase']): Promise<State> {
    return await eventually(`${phase}: ${this.output}`, async () => {
      const state = await this.state();
      // The first instance listens, then writes the record: with a run folder, "serves" means both.
      const settled = phase !== 'serving' || state.record !== null || !this.#hasRecord;
      return state.phase === phase && settled ? state : null;
    });
  }

  /** The exit code; waits for the end of the process. */
  async ended(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit');
    return this.process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended();
  }
}

/** Lines of JSON with a supervisor, as docs/contract.md describes them. */
export class Control {
  readonly #socket: net.Socket;
  readonly #waiting = new Map<
    unknown,
    (reply: { ok: boolean; result?: unknown; error?: { code: string } }) => void
  >();
  #next = 1;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    createInterface({ input: socket }).on('line', (line) => {
      const message = JSON.parse(line) as { id?: unknown; ok: boolean };
      this.#waiting.get(message.id)?.(message);
    });
    socket.on('error', () => {});
  }

  static async open(path: string): Promise<Control> {
    const socket = net.connect(path);
    await once(socket, 'connect');
    return new Control(socket);
  }

  /** The result, or a rejection whose message is the instance's error code. */
  async ask(command: string, args: object = {}): Promise<unknown> {
    const id = this.#next++;
    const reply = await this.send(id, `${JSON.stringify({ id, do: command, ...args })}\n`);
    if (!reply.ok) throw new Error(reply.error?.code);
    return reply.result;
  }

  /** Sends text as it is and waits for the reply with that id. */
  send(id: unknown, text: string): Promise<{ ok: boolean; result?: unknown; error?: { code: string } }> {
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.write(text);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
