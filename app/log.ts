import { isatty } from 'node:tty';
import { pino, type DestinationStream, type Logger } from 'pino';

/**
 * Lines are written together, so many bytes or those of so long: a system call for each would cost more than the line. (Pino's
 * own periodicFlush would also write nothing four times a second, for ever.) Never more at once than a pipe takes whole, PIPE_BUF
 * of pipe(7): the children write to the same one, and none may begin in the middle of another's line.
 */
const BUFFER_BYTES = 3500;
const PIPE_BYTES = 4096;
const FLUSH_AFTER_MS = 250;

export type { Logger } from 'pino';

/**
 * JSON lines on standard output, in the shape the supervisor writes too: level by name, ISO time, `msg`. Where that is a terminal,
 * lines that a person can read.
 */
export function createLogger(level: string, fields: Record<string, unknown>): Logger {
  const out = isatty(1) ? terminal() : buffered();
  return pino(
    {
      level,
      base: fields,
      timestamp: isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  );
}

/** Written anew for each millisecond, not for each line. */
function isoTime(): string {
  const now = Date.now();
  if (now !== written.at) written = { at: now, text: `,"time":"${new Date(now).toISOString()}"` };
  return written.text;
}
let written = { at: 0, text: '' };

function buffered(): DestinationStream {
  const out = pino.destination({ sync: false, minLength: BUFFER_BYTES, maxWrite: PIPE_BYTES });
  process.on('exit', () => out.flushSync());
  let flushing: NodeJS.Timeout | undefined;
  return {
    write(line: string): void {
      out.write(line);
      flushing ??= setTimeout(() => {
        flushing = undefined;
        out.flush();
      }, FLUSH_AFTER_MS).unref();
    },
  };
}

/** Each line at once. Until what formats them is loaded they wait, in their order; a process that ends first writes them as they are. */
function terminal(): DestinationStream {
  let format: ((line: string) => string) | undefined;
  const waiting: string[] = [];
  const flush = (): void => {
    for (const line of waiting.splice(0)) process.stdout.write(format ? format(line) : line);
  };
  void import('./log-terminal.ts').then(({ readable }) => {
    format = readable;
    flush();
  });
  process.on('exit', flush);
  return {
    write(line) {
      waiting.push(line);
      if (format) flush();
    },
  };
}
