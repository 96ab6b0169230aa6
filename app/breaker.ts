/** Commands in a row without an answer in time, after which a server is left alone. */
const LIMIT = 5;
/** For how long, in milliseconds; then one command tries whether it answers again. */
const REST_MS = 1000;

/** Keeps requests from paying the deadline again and again while a cache node or the database is away. */
export interface Breaker {
  /** Whether a command may be sent now. Who is told yes reports exactly one of `answered` and `late`. */
  allows(): boolean;
  answered(): void;
  late(): void;
  /** Whether it is left alone, or was and has not answered since. */
  resting(): boolean;
}

/** Allows everything at first; `now` is a clock in milliseconds. */
export function createBreaker(now: () => number = () => performance.now()): Breaker {
  let lateInARow = 0;
  let until = 0;
  let trying = false;
  const resting = (): boolean => lateInARow >= LIMIT;
  return {
    allows() {
      if (!resting()) return true;
      if (trying || now() < until) return false;
      trying = true; // one command pays for finding out, the others do not wait for it
      return true;
    },
    answered() {
      lateInARow = 0;
      trying = false;
    },
    late() {
      lateInARow += 1;
      trying = false;
      if (resting()) until = now() + REST_MS;
    },
    resting,
  };
}
