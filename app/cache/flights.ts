/** Milliseconds after which a computation is not joined any more: one that hangs must not hold up everyone after it. */
const JOIN_MS = 10_000;

interface Flight {
  outcome: Promise<unknown>;
  since: number;
}

/** Work that is under way, by key, so that what is asked for twice at the same time is done once. */
export interface Flights {
  /** The work under way for this key, or undefined. */
  join<T>(key: string): Promise<T> | undefined;
  /**
   * Starts work for the key. `valid()` is false once the key was forgotten or somebody started anew: what was computed
   * then may already be out of date, and is good for those who waited but not for keeping.
   */
  start<T>(key: string, work: (valid: () => boolean) => Promise<T>): Promise<T>;
  /** Nobody joins what is under way for this key from now on. */
  forget(key: string): void;
}

/** Empty; `now` is a clock in milliseconds. */
export function createFlights(now: () => number = () => performance.now()): Flights {
  const flights = new Map<string, Flight>();
  return {
    join<T>(key: string) {
      const flight = flights.get(key);
      return flight && now() - flight.since < JOIN_MS ? (flight.outcome as Promise<T>) : undefined;
    },
    start<T>(key: string, work: (valid: () => boolean) => Promise<T>) {
      const flight: Flight = { outcome: Promise.resolve(), since: now() };
      const valid = (): boolean => flights.get(key) === flight;
      flights.set(key, flight);
      const outcome = work(valid).finally(() => valid() && flights.delete(key));
      flight.outcome = outcome;
      return outcome;
    },
    forget(key) {
      flights.delete(key);
    },
  };
}
