import { AsyncLocalStorage } from 'node:async_hooks';
import type { Trace } from './tracing.ts';

/** The parts of a request's time that are worth telling apart. */
export type Part = 'queue' | 'db' | 'cache' | 'render';

/** A page has a handful; a job that runs for minutes may have thousands, which no trace shows. */
const MAX_STEPS = 100;

/** What is known of the request (or job) that is at work; code far from the route adds to it. */
export interface WorkContext {
  id: string;
  /** Milliseconds spent so far; parts may overlap, as their work does. */
  parts: Partial<Record<Part, number>>;
  /** Where tracing is on. */
  trace?: Trace | undefined;
}

const storage = new AsyncLocalStorage<WorkContext>();

/** Runs `work` and what it calls, now and later, as part of this request or job. */
export function within<T>(context: WorkContext, work: () => T): T {
  return storage.run(context, work);
}

/** Runs work that is done for several requests at once, and so belongs to none. */
export function apart<T>(work: () => T): T {
  return storage.exit(work);
}

/** For the options of a job that is begun now: lets its run be part of the trace, where there is one. */
export function carried(): { telemetry?: { metadata: string } } {
  const trace = storage.getStore()?.trace;
  return trace ? { telemetry: { metadata: trace.parent } } : {};
}

/** For the data of a job that is begun now: the id of the request that causes it, for the lines of the log. */
export function cause(): { requestId?: string } {
  const id = storage.getStore()?.id;
  return id === undefined ? {} : { requestId: id };
}

/** Adds the time that `work` takes to a part of the current request. */
export async function timed<T>(part: Part, work: () => Promise<T>): Promise<T> {
  const context = storage.getStore();
  if (!context) return await work();
  const start = performance.now();
  try {
    return await work();
  } finally {
    note(context, part, start);
  }
}

/** The same for work that does not wait. */
export function timedNow<T>(part: Part, work: () => T): T {
  const context = storage.getStore();
  const start = performance.now();
  const result = work();
  if (context) note(context, part, start);
  return result;
}

function note({ parts, trace }: WorkContext, part: Part, start: number): void {
  const end = performance.now();
  parts[part] = (parts[part] ?? 0) + end - start;
  if (trace?.steps && trace.steps.length < MAX_STEPS) trace.steps.push({ part, start, end });
}
