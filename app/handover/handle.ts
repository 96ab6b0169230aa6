import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import type { BoundSocket } from './bound-socket.ts';
import { HandoverError, type Ask, type Message, type Reply } from './protocol.ts';

/** Environment variable that marks a child and carries the number of its slot. */
export const CHILD_MARK = 'TASUKI_CHILD';

/** How long an order may take beyond the deadline it carries. */
export const ORDER_SLACK_MS = 5000;

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** The supervisor's end of one child: its process and the orders it has not answered yet. */
export class Child {
  readonly process: ChildProcess;
  readonly startedAt = performance.now();
  readonly ready: Promise<void>;
  isReady = false;
  /** It was told to exit, so its end is no accident. */
  dismissed = false;
  readonly slot: number;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;

  /** `onTired` hears why the child asks to be replaced; it may ask more than once. */
  constructor(slot: number, onTired: (child: Child, reason: string) => void) {
    this.slot = slot;
    this.process = fork(process.argv[1] ?? '', process.argv.slice(2), {
      env: { ...process.env, [CHILD_MARK]: String(slot) }, // oxlint-disable-line node/no-process-env -- handed on whole
    });
    this.ready = new Promise((resolve, reject) => {
      this.process.on('message', (message: Message) => {
        if ('ready' in message) {
          this.isReady = true;
          resolve();
        } else if ('tired' in message) onTired(this, message.tired);
        else this.#settle(message);
      });
      this.process.once('exit', (code, signal) => {
        const gone = new HandoverError('CHILD_GONE', `child ended (${signal ?? `exit code ${code}`})`);
        reject(gone);
        for (const waiting of this.#waiting.values()) waiting.reject(gone);
        this.#waiting.clear();
      });
      this.process.once('error', reject);
    });
    this.ready.catch(() => {}); // told through the exit event
  }

  /** Sends an order, and a socket with it, and waits for its answer, at most `timeoutMs`. */
  ask(order: Ask, timeoutMs = ORDER_SLACK_MS, socket?: BoundSocket): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(
          new HandoverError('CHILD_SILENT', `child did not answer "${order.do}" within ${timeoutMs} ms`),
        );
      }, timeoutMs);
      this.#waiting.set(id, {
        resolve: (result) => (clearTimeout(timer), resolve(result)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
      this.process.send({ ...order, id }, socket as SendHandle | undefined, undefined, (error) => {
        if (error) this.#settle({ id, ok: false, error: { code: 'CHILD_GONE', message: error.message } });
      });
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.ok) waiting?.resolve(reply.result);
    else waiting?.reject(new HandoverError(reply.error.code, reply.error.message));
  }
}
