/** Exit codes of `deploy`; a test holds the table of docs/operating.md to them. */
export const EXIT = {
  done: 0,
  /** The old release still serves. */
  failed: 1,
  usage: 2,
  /** Something is half done and a person must look. */
  incomplete: 3,
  locked: 75,
  config: 78,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface ErrorDetails {
  /** Stable word for scripts, e.g. `IMAGE_MISSING`. */
  code: string;
  exit?: ExitCode;
  /** What failed, in one sentence. */
  what: string;
  /** The thing it concerns: an image, a container, a file. */
  subject?: string;
  /** The limit that was met, with its unit, where one was. */
  limit?: string;
  /** The next thing to do, as a command where there is one. */
  next: string;
  /** The step of the plan it failed in. */
  step?: string;
  /** The steps that were taken back because of it, in that order; absent where nothing is. */
  undone?: string[];
  /** Evidence: last log lines, health answers, output of a tool. */
  evidence?: string[];
}

/** The one error a user sees: what failed, on what, at which limit, and what to do next. */
export class DeployError extends Error {
  readonly details: ErrorDetails;
  constructor(details: ErrorDetails) {
    super(details.what);
    this.name = 'DeployError';
    this.details = details;
  }
  get exit(): ExitCode {
    return this.details.exit ?? EXIT.failed;
  }
}

/** Thrown where work stops because the user asked for it. */
export class Interrupted extends DeployError {
  constructor() {
    super({
      code: 'INTERRUPTED',
      exit: EXIT.interrupted,
      what: 'interrupted',
      next: 'run the same command again when you are ready',
    });
  }
}

/** Anything thrown, as a DeployError; a fault of the program itself brings the lines of code it happened at. */
export function toDeployError(error: unknown): DeployError {
  if (error instanceof DeployError) return error;
  const fault = [TypeError, RangeError, ReferenceError, SyntaxError].some((kind) => error instanceof kind);
  return new DeployError({
    code: 'UNEXPECTED',
    what: error instanceof Error ? error.message : String(error),
    next: 'deploy status   shows what serves now; deploy doctor   looks for what is wrong',
    evidence: fault ? ((error as Error).stack?.split('\n').slice(1, 6) ?? []) : [],
  });
}
