import { fork, type ChildProcess } from 'node:child_process';
import {
  HandoverError,
  type Ask,
  type CheckResult,
  type ChildState,
  type Drain,
  type Log,
  type Reply,
} from './protocol.ts';

/** Environment variable that marks a child and carries the number of its slot. */
export const CHILD_MARK = 'TASUKI_CHILD';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
/** A child that lived this long had not failed to start: its slot begins again without delay. */
const STEADY_MS = 10_000;
const ORDER_SLACK_MS = 5000;

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** One child process and the orders it has not answered yet. */
export class Child {
  readonly process: ChildProcess;
  readonly startedAt = performance.now();
  readonly ready: Promise<void>;
  isReady = false;
  /** It was told to exit, so its end is no accident. */
  dismissed = false;
  #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(slot: number) {
    this.process = fork(process.argv[1] ?? '', process.argv.slice(2), {
      env: { ...process.env, [CHILD_MARK]: String(slot) }, // oxlint-disable-line node/no-process-env -- handed on whole
    });
    this.ready = new Promise((resolve, reject) => {
      this.process.on('message', (message: { ready: true } | Reply) => {
        if ('ready' in message) {
          this.isReady = true;
          resolve();
        } else this.#settle(message);
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

  /** Sends an order and waits for its answer, at most `timeoutMs`. */
  ask(order: Ask, timeoutMs = ORDER_SLACK_MS): Promise<unknown> {
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
      this.process.send({ ...order, id }, (error) => {
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

/** Keeps a fixed number of children alive, and passes orders to all of them. */
export class Children {
  readonly #slots: (Child | null)[];
  readonly #log: Log;
  readonly #onReady: (child: Child) => void;
  #delays: number[];
  #stopping = false;
  restarts = 0;

  /** `onReady` is called for every child that replaces one that ended. */
  constructor(count: number, log: Log, onReady: (child: Child) => void) {
    this.#slots = Array.from({ length: count }, () => null);
    this.#delays = this.#slots.map(() => 0);
    this.#log = log;
    this.#onReady = onReady;
  }

  get alive(): Child[] {
    return this.#slots.filter((child) => child?.isReady === true) as Child[];
  }

  get complete(): boolean {
    return this.#slots.every((child) => child?.isReady === true);
  }

  /** Starts all; rejects when one ends before it is ready: an app that cannot boot must end, not loop inside. */
  async startAll(): Promise<void> {
    const started = this.#slots.map((_, slot) => this.#start(slot));
    await Promise.all(started.map((child) => child.ready));
    for (const [slot, child] of started.entries()) this.#guard(slot, child);
  }

  /** Replaces the children one by one: the next is ready, and on the port where it should be, before the old leaves. */
  async replaceAll(admit: (child: Child) => Promise<void>, deadlineMs: number): Promise<void> {
    for (const [slot, old] of this.#slots.entries()) {
      const next = new Child(slot);
      await next.ready;
      await admit(next);
      this.#slots[slot] = next;
      this.#guard(slot, next);
      if (old) await this.#dismiss(old, deadlineMs);
    }
  }

  /** One order to every living child; rejects with the first failure after all have answered. */
  async askAll(order: Ask, timeoutMs?: number): Promise<unknown[]> {
    const answers = await Promise.allSettled(this.alive.map((child) => child.ask(order, timeoutMs)));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed) throw failed.reason;
    return answers.map((answer) => (answer as PromiseFulfilledResult<unknown>).value);
  }

  async drainAll(deadlineMs: number): Promise<Drain> {
    return sum((await this.askAll({ do: 'leave', deadlineMs }, deadlineMs + ORDER_SLACK_MS)) as Drain[]);
  }

  /** The worst of all children: an error status before a good one, then the slowest. */
  async check(path: string, timeoutMs: number): Promise<CheckResult> {
    const order: Ask = { do: 'check', path, timeoutMs };
    const results = (await this.askAll(order, timeoutMs + ORDER_SLACK_MS)) as CheckResult[];
    const worst = results.toSorted((a, b) => b.status - a.status || b.ms - a.ms)[0];
    if (!worst) throw new HandoverError('NO_CHILD', 'no child is ready');
    return worst;
  }

  async states(): Promise<ChildState[]> {
    const children = this.#slots.filter((child) => child !== null);
    return await Promise.all(
      children.map(async (child) => {
        const none = { requests: 0, connections: 0 };
        const stats = child.isReady ? await child.ask({ do: 'stats' }, 500).catch(() => none) : none;
        return { pid: child.process.pid ?? 0, ready: child.isReady, ...(stats as typeof none) };
      }),
    );
  }

  /** Drains and ends all children. */
  async stopAll(deadlineMs: number): Promise<Drain> {
    this.#stopping = true;
    const children = this.#slots.filter((child) => child !== null);
    const drains = await Promise.all(children.map((child) => this.#dismiss(child, deadlineMs)));
    return sum(drains.filter((drain) => drain !== null));
  }

  async #dismiss(child: Child, deadlineMs: number): Promise<Drain | null> {
    child.dismissed = true;
    if (!child.isReady) {
      child.process.kill('SIGKILL');
      return null;
    }
    const answer = child.ask({ do: 'exit', deadlineMs }, deadlineMs + ORDER_SLACK_MS);
    return (await answer.catch(() => (child.process.kill('SIGKILL'), null))) as Drain | null;
  }

  #start(slot: number): Child {
    const child = new Child(slot);
    this.#slots[slot] = child;
    return child;
  }

  #guard(slot: number, child: Child): void {
    const ended = (): void => this.#replace(slot, child);
    if (child.process.exitCode !== null || child.process.signalCode !== null) ended();
    else child.process.once('exit', ended);
  }

  #replace(slot: number, child: Child): void {
    child.isReady = false;
    if (this.#stopping || child.dismissed || this.#slots[slot] !== child) return;
    this.restarts += 1;
    const steady = performance.now() - child.startedAt > STEADY_MS;
    const delay = steady ? 0 : (this.#delays[slot] ?? 0);
    this.#delays[slot] = Math.min(Math.max(delay * 2, FIRST_DELAY_MS), MAX_DELAY_MS);
    const how = child.process.signalCode ?? `exit code ${child.process.exitCode}`;
    this.#log('error', `child ended by itself (${how}); next one in ${delay} ms`, { slot });
    setTimeout(() => {
      if (this.#stopping) return;
      const next = this.#start(slot);
      this.#guard(slot, next);
      next.ready.then(
        () => this.#onReady(next),
        () => {},
      );
    }, delay);
  }
}

/** Drains run side by side: the longest time, the sum of the counts. */
function sum(drains: Drain[]): Drain {
  return drains.reduce(
    (all, one) => ({
      ms: Math.max(all.ms, one.ms),
      answered: all.answered + one.answered,
      cut: all.cut + one.cut,
    }),
    { ms: 0, answered: 0, cut: 0 },
  );
}
