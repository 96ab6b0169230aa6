import { createInterface } from 'node:readline';
import type { State } from '../contract.ts';
import { DeployError } from '../errors.ts';
import type { Engine, Exec } from './docker.ts';

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}
type Message =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; error: { code: string; message: string } }
  | { event: 'state'; state: State };

const REPLY_TIMEOUT_MS = 10_000;

/** An instance refused a command; `code` is the instance's own, e.g. EADDRINUSE. */
export class RefusedError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * A conversation with one instance through `docker exec … ctl session`. It may be opened before the instance has
 * booted. What the instance lent to it (an admission, a loosening) goes back when the session ends, however it ends.
 */
export class Session {
  readonly #exec: Exec;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(state: State) => void>();
  #nextId = 1;
  #closed: Error | null = null;
  #stderr = '';
  state: State | null = null;

  private constructor(exec: Exec, name: string) {
    this.#exec = exec;
    createInterface({ input: exec.stdout }).on('line', (line) => this.#hear(line));
    exec.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-2000)));
    exec.stdout.once('close', () => {
      const said = this.#stderr.trim() || 'no reason given';
      this.#closed = new RefusedError('SESSION_CLOSED', `the control session of ${name} ended: ${said}`);
      for (const waiting of this.#waiting.values()) waiting.reject(this.#closed);
      this.#waiting.clear();
    });
  }

  static async open(engine: Engine, id: string, name: string, ctl: string[]): Promise<Session> {
    return new Session(await engine.exec(id, [...ctl, 'session']), name);
  }

  /** Sends a command and waits for its result. */
  ask(command: string, args: object = {}, timeoutMs = REPLY_TIMEOUT_MS): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new RefusedError('NO_REPLY', `no answer to "${command}" within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(id, {
        resolve: (result) => (clearTimeout(timer), resolve(result)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
      this.#exec.stream.write(`${JSON.stringify({ id, do: command, ...args })}\n`);
    });
  }

  /** Resolves with the first state for which `done` holds; the instance reports every change. */
  async until(done: (state: State) => boolean, timeoutMs: number): Promise<State> {
    const deadline = performance.now() + timeoutMs;
    let seen = (): void => {};
    const reached = new Promise<State>((resolve) => {
      const listener = (state: State): void => {
        if (done(state)) resolve(state);
      };
      this.#listeners.add(listener);
      seen = () => this.#listeners.delete(listener);
    });
    try {
      const now = (await this.ask('watch', {}, timeoutMs)) as State;
      this.state = now;
      if (done(now)) return now;
      return await this.#before(reached, deadline - performance.now());
    } finally {
      seen();
    }
  }

  end(): void {
    this.#exec.stream.end();
    this.#exec.stream.destroy();
  }

  async #before(reached: Promise<State>, ms: number): Promise<State> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new RefusedError('TIMEOUT', `still ${this.state?.phase} after ${ms} ms`)),
        ms,
      );
      this.#waiting.set(-1, { resolve: () => {}, reject });
    });
    try {
      return await Promise.race([reached, late]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(-1);
    }
  }

  #hear(line: string): void {
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch {
      return; // not ours: an image may print on its own
    }
    if ('event' in message) {
      this.state = message.state;
      for (const listener of this.#listeners) listener(message.state);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.ok) waiting?.resolve(message.result);
    else waiting?.reject(new RefusedError(message.error.code, message.error.message));
  }
}

/** The error for an image that does not know the control command. */
export function noContract(name: string, image: string, reason: string): DeployError {
  return new DeployError({
    code: 'NO_CONTROL',
    what: `${name} does not answer its control command: ${reason}`,
    subject: image,
    next: 'the image must follow docs/contract.md (seven lines for an Express app); x-deploy.ctl names the command',
  });
}
