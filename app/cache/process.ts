import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { within } from './deadline.ts';
import { laterRun } from './later-run.ts';
import type { News, Topic } from './news.ts';

/** What a change told through Redis can miss is seen after this long at most, in milliseconds. */
const MAX_AGE_MS = 60_000;
/** A load that failed is tried again after this long. */
const RETRY_MS = 5000;
/** A load that takes longer has failed, or one that hangs would keep all others from happening. */
const LOAD_MS = 10_000;

export interface MasterOptions {
  /** The same in every process that keeps this. */
  name: string;
  log: Logger;
  /** How changes are told between processes, once it is open; without it only `maxAgeMs` tells. */
  news?: News | Promise<News> | undefined;
  maxAgeMs?: number;
}

export interface MasterStats {
  loads: number;
  failures: number;
  /** Milliseconds since what is kept was read, or null when nothing is. */
  ageMs: number | null;
}

/** Data that each process keeps whole, because it is small, read by every page and seldom changed. */
export interface Master<T> {
  /** What is kept; loaded first when nothing is (at warm-up), and then it rejects when loading does. Do not change it. */
  get(): Promise<T>;
  /** Call it after a change is committed: tells the other processes, and resolves when this one has loaded again. */
  invalidate(): Promise<void>;
  stats(): MasterStats;
  close(): void;
}

/**
 * Loads at the first `get` and again whenever it is told to. Meanwhile the old value is served, and when loading fails
 * it stays, with one line in the log (`kept`: there is an old one) until it works again.
 */
export function createMaster<T>(load: () => Promise<T>, options: MasterOptions): Master<T> {
  const { name, log, news, maxAgeMs = MAX_AGE_MS } = options;
  let kept: { value: T; at: number } | undefined;
  let first: Promise<T> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let failing = false;
  const counts = { loads: 0, failures: 0 };

  /** The next load. Children that began together drift apart, and none is later than it should be. */
  function schedule(ms: number): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(refresh, ms * (0.8 + 0.2 * Math.random()));
    timer.unref();
  }

  async function run(): Promise<T> {
    const at = performance.now(); // what is read is at least as new as this
    try {
      const value = await within(LOAD_MS, load());
      kept = { value, at };
      counts.loads += 1;
      if (failing) log.info({ name }, 'master data is loaded again');
      failing = false;
      schedule(maxAgeMs);
      return value;
    } catch (error) {
      counts.failures += 1;
      if (!failing)
        log.warn({ name, reason: messageOf(error), kept: kept !== undefined }, 'master data was not loaded');
      failing = true;
      schedule(Math.min(RETRY_MS, maxAgeMs));
      throw error;
    }
  }

  const reload = laterRun(run);

  /** Nobody waits, and `run` has logged what went wrong. */
  function refresh(): void {
    reload().catch(() => {});
  }

  let topic: Topic | undefined;
  function listen(opened: News): void {
    if (closed) return;
    topic = opened.topic(name, () => {
      if (kept || first) refresh(); // before the first load there is nothing that could be old
    });
  }
  if (news instanceof Promise) news.then(listen, () => {}); // who opens it hears why it failed
  else if (news) listen(news);

  return {
    async get() {
      return kept ? kept.value : (first ??= reload().finally(() => (first = undefined)));
    },
    async invalidate() {
      await Promise.allSettled([reload(), topic?.tell()]);
    },
    stats: () => ({ ...counts, ageMs: kept ? Math.round(performance.now() - kept.at) : null }),
    close() {
      closed = true;
      clearTimeout(timer);
      topic?.close();
    },
  };
}
