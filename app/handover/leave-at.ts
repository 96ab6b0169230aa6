/** The longest a timer of Node's can be set to, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** Calls `leave` at a time, however far it is; at once when it is past. Keeps no process alive. */
export function leaveAt(time: Date, leave: () => void): void {
  const left = time.getTime() - Date.now();
  const timer = setTimeout(
    () => (left > LONGEST_MS ? leaveAt(time, leave) : leave()),
    Math.max(0, Math.min(left, LONGEST_MS)),
  );
  timer.unref();
}
