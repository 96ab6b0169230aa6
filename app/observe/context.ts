import { AsyncLocalStorage } from 'node:async_hooks';

/** The parts of a request's time that are worth telling apart. */
export type Part = 'queue' | 'db' | 'cache' | 'render';

/** What is known of the request that is being answered; code far from the route adds to it. */
export interface RequestContext {
  id: string;
  /** Milliseconds spent so far; parts may overlap, as their work does. */
  parts: Partial<Record<Part, number>>;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work` and what it calls, now and later, as part of this request. */
export function within<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** The request that is being answered, if any: a job or the warm-up is none. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}

/** Adds the time that `work` takes to a part of the current request. */
export async function timed<T>(part: Part, work: () => Promise<T>): Promise<T> {
  const context = storage.getStore();
  if (!context) return await work();
  const start = performance.now();
  try {
    return await work();
  } finally {
    context.parts[part] = (context.parts[part] ?? 0) + performance.now() - start;
  }
}

/** The same for work that does not wait. */
export function timedNow<T>(part: Part, work: () => T): T {
  const context = storage.getStore();
  const start = performance.now();
  const result = work();
  if (context) context.parts[part] = (context.parts[part] ?? 0) + performance.now() - start;
  return result;
}
