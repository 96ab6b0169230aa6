// The load client's own process. It is told what to do over IPC and ends with its parent.
import { Driver } from './driver.ts';
import { writeFiles } from './files.ts';
import { isLocal } from './local.ts';
import type { LoadOptions, LoadReport } from './options.ts';
import { intervals, summarise } from './report.ts';

/** `start` is the first; each gets one reply with the same `n`. */
export interface Command {
  n: number;
  do: 'start' | 'mark' | 'counters' | 'stop';
  options?: LoadOptions;
  label?: string;
}
export interface Reply {
  n: number;
  result?: unknown;
  error?: string;
}

let driver: Driver | null = null;
let options: LoadOptions | null = null;

async function obey(command: Command): Promise<unknown> {
  if (command.do === 'start') return start(command.options!);
  if (driver === null) throw new Error('not started');
  if (command.do === 'mark') return driver.mark(command.label ?? '');
  if (command.do === 'counters') return driver.counters;
  return report(driver, options!);
}

function start(given: LoadOptions): void {
  const { hostname } = new URL(given.target);
  if (!isLocal(hostname)) throw new Error(`${hostname} is not an address of this machine`);
  options = given;
  driver = new Driver(given);
  driver.start();
  setTimeout(() => process.exit(3), given.maxSeconds * 1000).unref();
}

async function report(of: Driver, given: LoadOptions): Promise<LoadReport> {
  const endMs = of.now();
  await of.stop();
  const { columns, counters, marks, idleCloses, extraResponses } = of;
  return {
    run: given.run,
    target: given.target,
    ...summarise(columns, endMs),
    skipped: counters.skipped,
    idleCloses,
    extraResponses,
    intervals: intervals(columns, marks, endMs),
    files: await writeFiles(columns, given.dir, given.keepRequests),
  };
}

process.on('message', (command: Command) => {
  obey(command).then(
    (result) => process.send?.({ n: command.n, result } satisfies Reply),
    (error: Error) => process.send?.({ n: command.n, error: error.message } satisfies Reply),
  );
});
// The parent is gone: nobody will read the report, and load without a test is a nuisance.
process.on('disconnect', () => process.exit(0));
