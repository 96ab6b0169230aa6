/**
 * One run of `work` for all who ask at the same time, which still begins after each of them has asked: what it reads is as
 * new for each as if it had read alone. While a run is under way those who come share the one that follows it. `work`
 * must have a deadline of its own, or one that hangs holds up all that come after.
 */
export function laterRun<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;

  function ask(): Promise<T> {
    if (!running) return (running = work().finally(() => (running = undefined)));
    next ??= running.then(follow, follow);
    return next;
  }

  function follow(): Promise<T> {
    next = undefined;
    return ask();
  }

  return ask;
}
