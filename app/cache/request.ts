/** What was computed for each request; it goes when the request does. */
const memos = new WeakMap<object, Map<string, Promise<unknown>>>();

/**
 * Computes a value once per request: whoever asks later, or meanwhile, gets the same promise. `request` is any object
 * that lives as long as the request (Express's `req` or `res`), `name` says which value.
 *
 * A rejection goes to everyone who waits for it and is not kept: the next caller computes again. The caller says what
 * type is under a name, so one name belongs to one place in the code.
 */
export function once<T>(request: object, name: string, compute: () => T | Promise<T>): Promise<T> {
  const memo = memos.get(request) ?? new Map<string, Promise<unknown>>();
  memos.set(request, memo);
  const known = memo.get(name);
  if (known) return known as Promise<T>;
  const computing = (async () => compute())(); // what `compute` throws at once is a rejection too
  memo.set(name, computing);
  computing.catch(() => memo.delete(name));
  return computing;
}
