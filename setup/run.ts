import { execa, type Options } from 'execa';
import { SetupError } from './errors.ts';

const tailLength = 15;
/** Colours and cursor movements would spoil the one line of progress. */
// oxlint-disable-next-line no-control-regex
const terminalCodes = /\u001B\[[0-9;?]*[A-Za-z]/g;

export interface RunOptions {
  /** What the command is for, as it reads after "failed:". */
  what: string;
  /** What a person should do when it fails. */
  next: string;
  timeoutMs: number;
  signal: AbortSignal;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Gets every line of output as it comes. */
  onLine?: (line: string) => void;
}

export interface Captured {
  ok: boolean;
  stdout: string;
  /** Last lines of both streams, for an error message. */
  tail: string[];
}

/** Runs a short command and returns what it printed; failing is an answer, not an error. */
export async function capture(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; signal: AbortSignal; cwd?: string },
): Promise<Captured> {
  const result = await execa(command, args, {
    cwd: options.cwd,
    timeout: options.timeoutMs,
    cancelSignal: options.signal,
    stdin: 'ignore',
    reject: false,
    all: true,
  });
  options.signal.throwIfAborted();
  const tail = lastLines(result.all);
  if (result.timedOut) tail.push(`(no answer within ${options.timeoutMs / 1000} s)`);
  return { ok: !result.failed, stdout: result.stdout, tail };
}

/** Runs a long command, hands on its output line by line, and throws a SetupError when it fails. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<void> {
  const tail: string[] = [];
  const execaOptions = {
    cwd: options.cwd,
    env: options.env,
    timeout: options.timeoutMs,
    forceKillAfterDelay: 2000,
    cancelSignal: options.signal,
    stdin: 'ignore',
    reject: false,
    all: true,
    buffer: false,
  } as const satisfies Options;
  const child = execa(command, args, execaOptions);
  for await (const raw of child.iterable({ from: 'all' })) {
    const line = cleanLine(raw);
    if (line === '') continue;
    tail.push(line);
    if (tail.length > tailLength) tail.shift();
    options.onLine?.(line);
  }
  const result = await child;
  options.signal.throwIfAborted();
  if (!result.failed) return;
  throw new SetupError(
    `${options.what} failed: \`${command} ${args[0] ?? ''}\` ${howItEnded(result, options)}`,
    {
      output: tail,
      next: options.next,
      cause: result,
    },
  );
}

function howItEnded(
  result: { timedOut: boolean; exitCode?: number; signal?: string; shortMessage?: string },
  options: RunOptions,
): string {
  if (result.timedOut) return `did not end within ${options.timeoutMs / 1000} s`;
  if (result.exitCode !== undefined) return `ended with exit code ${result.exitCode}`;
  return result.signal === undefined
    ? (result.shortMessage ?? 'could not be started')
    : `was killed by ${result.signal}`;
}

function cleanLine(raw: string): string {
  // A progress bar rewrites its line with carriage returns: the last state counts.
  return (raw.replaceAll(terminalCodes, '').trimEnd().split('\r').at(-1) ?? '').trim();
}

/** The last lines that hold something. */
export function lastLines(text: string, count: number = tailLength): string[] {
  return text
    .split('\n')
    .map(cleanLine)
    .filter((line) => line !== '')
    .slice(-count);
}
