/**
 * What is left of T after JSON: a Date becomes a string, a function goes. A value from the shared cache is always this,
 * also for the caller who computed it, so that a page cannot work on the first visit and fail on the second.
 */
export type Json<T> = unknown extends T
  ? T
  : T extends { toJSON(): infer J }
    ? J
    : T extends string | number | boolean | null | undefined
      ? T
      : T extends bigint | symbol | ((...args: never[]) => unknown)
        ? never
        : { [K in keyof T]: Json<T[K]> };

/** The text and what it reads as; the text is undefined when the value cannot be stored (undefined, a function). */
export function toJson<T>(value: T): { text: string | undefined; value: Json<T> } {
  const text = JSON.stringify(value) as string | undefined; // its declaration forgets undefined
  return { text, value: (text === undefined ? undefined : JSON.parse(text)) as Json<T> };
}
