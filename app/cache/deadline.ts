/** What is rejected with when `within` did not get an answer. */
export class Late extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.name = 'Late';
  }
}

/**
 * The outcome of `work`, or a rejection with Late after `ms` milliseconds. `work` itself goes on, and what becomes of
 * it then is not told to anyone.
 *
 * A process that was busy for longer than the deadline runs its timers before it reads its sockets. So the verdict
 * waits until they are read (setImmediate): an answer that is there already counts, and a busy process does not take
 * its cache for a slow one.
 */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new Late(ms))), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
