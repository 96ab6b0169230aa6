import { pino, stdTimeFunctions, type Logger } from 'pino';

/** Lines are written together, this many bytes or this often: a system call for each would cost more than the line. */
const BUFFER_BYTES = 4096;
const FLUSH_EVERY_MS = 250;

export type { Logger } from 'pino';

/** JSON lines on standard output, in the shape the supervisor writes too: level by name, ISO time, `msg`. */
export function createLogger(level: string, fields: Record<string, unknown>): Logger {
  const out = pino.destination({ sync: false, minLength: BUFFER_BYTES, periodicFlush: FLUSH_EVERY_MS });
  process.on('exit', () => out.flushSync());
  return pino(
    {
      level,
      base: fields,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  );
}
