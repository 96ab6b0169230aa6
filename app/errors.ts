/** Exit code for bad configuration (EX_CONFIG of sysexits.h). */
export const EXIT_CONFIG = 78;

/** The process cannot start with what it was given; `problems` names each thing to correct. */
export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(`bad configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** An error whose message may be shown to the client, with the status to answer. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'HttpError';
    this.status = status;
    this.code = code;
  }
}

/** A dependency is not there or did not answer in time: 503, and the client may try again. */
export class Unavailable extends HttpError {
  constructor(what: string, cause?: unknown) {
    super(503, 'unavailable', `${what} is not available`, cause);
    this.name = 'Unavailable';
  }
}

/** The message of anything thrown; an AggregateError (Node's, for several addresses) has none of its own. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
