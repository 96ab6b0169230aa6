/** A failure of the set-up that a person can act on: what failed, what was printed last, what to do next. */
export class SetupError extends Error {
  readonly output: readonly string[];
  readonly next: string;

  constructor(what: string, details: { next: string; output?: readonly string[]; cause?: unknown }) {
    super(what, { cause: details.cause });
    this.name = 'SetupError';
    this.output = details.output ?? [];
    this.next = details.next;
  }
}

/** Text for the terminal: the failure, the last lines of the output, the next thing to do. */
export function describeError(error: unknown): string {
  if (!(error instanceof SetupError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `set-up failed unexpectedly: ${text}`;
  }
  const lines = [error.message, ...error.output.map((line) => `  | ${line}`), `What to do: ${error.next}`];
  return lines.join('\n');
}
