import { createInterface } from 'node:readline';
import type { State } from '../contract.ts';
import { DeployError } from '../errors.ts';
import { connectDirect } from './direct.ts';
import type { Channel, Engine } from './docker.ts';

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

/** A conversation with one instance. It may be opened before the instance has booted. */
export interface Session {
  /** Sends a command of docs/contract.md and waits for its result. */
  ask: (command: string, args?: object, timeoutMs?: number) => Promise<unknown>;
  /** Resolves with the first state for which `done` holds. */
  until: (done: (state: State) => boolean, timeoutMs: number) => Promise<State>;
  end: () => void | Promise<void>;
  /** The last that was heard of. */
  readonly state: State | null;
  /** True when nothing can be asked any more: the instance has ended, or was started again. */
  readonly isOver: boolean;
}

/**
 * With an image that follows the contract: over its control socket, or through `docker exec … ctl session`, which joins the same
 * socket. What the instance lent to it (an admission, a loosening) goes back when the session ends, however it ends.
 */
export class ControlSession implements Session {
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(state: State) => void>();
  #nextId = 1;
  #closed: Error | null = null;
  #stderr = '';
  state: State | null = null;

  private constructor(channel: Channel, name: string) {
    this.#channel = channel;
    createInterface({ input: channel.stdout })
      .on('line', (line) => this.#hear(line))
      .on('error', () => {}); // it passes on those of its input, whose 'close' follows
    channel.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-2000)));
    channel.stdout.once('close', () => {
      const said = this.#stderr.trim() || 'no reason given';
      this.#closed = new RefusedError('SESSION_CLOSED', `the control session of ${name} ended: ${said}`);
      for (const waiting of this.#waiting.values()) waiting.reject(this.#closed);
      this.#waiting.clear();
    });
  }

  /** `signal` gives up waiting for an instance that does not open its socket. */
  static async open(
    engine: Engine,
    id: string,
    name: string,
    ctl: string[],
    signal: AbortSignal,
  ): Promise<ControlSession> {
    const direct = await connectDirect(await engine.inspect(id), signal);
    signal.throwIfAborted();
    return new ControlSession(direct ?? (await engine.exec(id, [...ctl, 'session']).catch(notRunning)), name);
  }

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
      this.#channel.stream.write(`${JSON.stringify({ id, do: command, ...args })}\n`);
    });
  }

  /** The instance reports every change. */
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

  get isOver(): boolean {
    return this.#closed !== null;
  }

  end(): void {
    this.#channel.stream.end();
    this.#channel.stream.destroy();
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

/** The engine answers 409 when the container has ended meanwhile. */
function notRunning(error: Error & { statusCode?: number }): never {
  throw error.statusCode === 409 ? new RefusedError('SESSION_CLOSED', error.message) : error;
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
