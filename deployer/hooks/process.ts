import { getPriority, setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';

/** What a hook's process is given. */
export interface HookRun {
  words: string[];
  cwd: string;
  /** All of its environment. */
  env: Record<string, string | undefined>;
  /** Written to its standard input, which then ends. */
  input: string;
  timeoutMs: number;
  /** Ends it before its time. */
  signal: AbortSignal | null;
  onLine: (text: string) => void;
}

/** How it ended; `ended` says by whom when it did not end by itself. */
export interface HookEnd {
  /** Null when a signal ended it. */
  code: number | null;
  ended: 'by itself' | 'deadline' | 'signal';
}

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 2000;
/** For what a process that is gone has still in its pipes. */
const REST_MS = 500;
/** A hook without an end to its words must not fill the journal, nor keep this process from its other work. */
const MAX_LINES = 1000;
const MAX_LINE = 2000;

/**
 * Waits for the end of this process, however it comes, on a pipe that only this process holds open; then kills the group.
 * SIGTERM, which is for the hook, leaves it where it is.
 */
const WATCH = '(trap "" TERM; cat <&3; kill -KILL 0) >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * Runs a command in a process group of its own, and sees to it that nothing of the group outlives it: not its deadline,
 * not the signal, and not this process, even when that is killed with SIGKILL. A command that cannot be run has exit
 * code 126 or 127, and the shell's words about it.
 */
export async function runHook(run: HookRun): Promise<HookEnd> {
  const child = atUsualPriority(() =>
    execa('sh', ['-c', WATCH, 'hook', ...run.words], {
      cwd: run.cwd,
      env: run.env,
      extendEnv: false,
      input: run.input,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      buffer: false,
      reject: false,
      timeout: run.timeoutMs,
      forceKillAfterDelay: GRACE_MS,
      killDescendants: true,
      ...(run.signal ? { cancelSignal: run.signal } : {}),
    }),
  );
  const show = limited(run.onLine);
  const streams = [child.stdout, child.stderr];
  for (const stream of streams) lines(stream, show);
  let rest: NodeJS.Timeout | undefined;
  child.nodeChildProcess.once('exit', () => {
    child.kill('SIGKILL'); // what it left running in the background
    // One that left the group may hold the pipes: nobody waits for its words.
    rest = setTimeout(() => streams.forEach((stream) => stream.destroy()), REST_MS);
  });
  const { exitCode, timedOut, isCanceled } = await child;
  clearTimeout(rest);
  return { code: exitCode ?? null, ended: timedOut ? 'deadline' : isCanceled ? 'signal' : 'by itself' };
}

/** This process may go before others on a busy machine; a hook, which may be a dump of the database, may not. */
function atUsualPriority<T>(start: () => T): T {
  const own = getPriority();
  if (own < 0) setPriority(0);
  try {
    return start();
  } finally {
    if (own < 0) setPriority(own);
  }
}

function limited(onLine: (text: string) => void): (text: string) => void {
  let count = 0;
  return (text) => {
    count += 1;
    if (count <= MAX_LINES) onLine(text);
    else if (count === MAX_LINES + 1) onLine(`… more than ${MAX_LINES} lines: the others are not shown`);
  };
}

/** Each line as it comes, without colours; one that does not end is cut. */
function lines(stream: Readable, onLine: (text: string) => void): void {
  let rest = '';
  const give = (line: string): void =>
    onLine(
      stripVTControlCharacters(line)
        .replaceAll(/\p{Cc}/gu, ' ')
        .trimEnd()
        .slice(0, MAX_LINE),
    );
  stream.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) give(part);
    if (rest.length > MAX_LINE) {
      give(rest);
      rest = '';
    }
  });
  stream.on('end', () => rest && give(rest));
  stream.on('error', () => {});
}
