import { addUp } from './figures.ts';
import { Child, ORDER_SLACK_MS } from './handle.ts';
import {
  HandoverError,
  type Ask,
  type CheckResult,
  type ChildState,
  type Drain,
  type Figures,
  type Log,
} from './protocol.ts';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
/** A child that lived this long had not failed to start: its slot begins again without delay. */
const STEADY_MS = 10_000;

export interface ChildrenOptions {
  count: number;
  log: Log;
  /** Called for every child that replaces one that ended. */
  onReady: (child: Child) => void;
  /** Called when a child asks to be replaced, with its reason. */
  onTired: (child: Child, reason: string) => void;
}

/** Keeps a fixed number of children alive, and passes orders to all of them. */
export class Children {
  readonly #slots: (Child | null)[];
  readonly #options: ChildrenOptions;
  #delays: number[];
  #stopping = false;
  restarts = 0;

  constructor(options: ChildrenOptions) {
    this.#slots = Array.from({ length: options.count }, () => null);
    this.#delays = this.#slots.map(() => 0);
    this.#options = options;
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

  /** The children that are or will be there, by slot. */
  get current(): Child[] {
    return this.#slots.filter((child) => child !== null);
  }

  /**
   * Puts a fresh child in the place of one: it is ready, and `admit` has put it on the port where it should be, before the old
   * one is told to leave. Resolves with the old one's drain, still going on; null when `old` had gone already. Rejects
   * when the fresh one cannot boot; the old one then stays.
   */
  async replaceOne(
    old: Child,
    admit: (child: Child) => Promise<void>,
    deadlineMs: number,
  ): Promise<{ left: Promise<unknown> } | null> {
    if (this.#stopping || this.#slots[old.slot] !== old) return null;
    const next = this.#make(old.slot);
    try {
      await next.ready;
      await admit(next);
    } catch (error) {
      next.process.kill('SIGKILL');
      throw error;
    }
    if (this.#stopping || this.#slots[old.slot] !== old) return { left: this.#dismiss(next, deadlineMs) };
    this.#slots[old.slot] = next;
    this.#guard(old.slot, next);
    return { left: this.#dismiss(old, deadlineMs) };
  }

  /** One order to every living child; rejects with the first failure after all have answered. */
  async askAll(order: Ask, timeoutMs?: number): Promise<unknown[]> {
    return await this.each((child) => child.ask(order, timeoutMs));
  }

  /** The same for whatever is done with each. */
  async each(work: (child: Child) => Promise<unknown>): Promise<unknown[]> {
    const answers = await Promise.allSettled(this.alive.map(work));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed) throw failed.reason;
    return answers.map((answer) => (answer as PromiseFulfilledResult<unknown>).value);
  }

  async drainAll(deadlineMs: number, gently = false): Promise<Drain> {
    const order: Ask = { do: 'leave', deadlineMs, gently };
    return sum((await this.askAll(order, deadlineMs + ORDER_SLACK_MS)) as Drain[]);
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

  /** A child that ends takes its figures along. */
  async figures(): Promise<Figures> {
    return addUp((await this.askAll({ do: 'figures' })) as Figures[]);
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
    const child = this.#make(slot);
    this.#slots[slot] = child;
    return child;
  }

  #make(slot: number): Child {
    return new Child(slot, (child, reason) => this.#options.onTired(child, reason));
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
    this.#options.log('error', `child ended by itself (${how}); next one in ${delay} ms`, { slot });
    setTimeout(() => {
      if (this.#stopping) return;
      const next = this.#start(slot);
      this.#guard(slot, next);
      next.ready.then(
        () => this.#options.onReady(next),
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
      cutRequests: [...(all.cutRequests ?? []), ...(one.cutRequests ?? [])],
      streams: (all.streams ?? 0) + (one.streams ?? 0),
    }),
    { ms: 0, answered: 0, cut: 0 },
  );
}
