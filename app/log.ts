import { pino, stdTimeFunctions, type Logger } from 'pino';

export type { Logger } from 'pino';

/** JSON lines on standard output, in the shape the supervisor writes too: level by name, ISO time, `msg`. */
export function createLogger(level: string, fields: Record<string, unknown>): Logger {
  return pino({
    level,
    base: fields,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
