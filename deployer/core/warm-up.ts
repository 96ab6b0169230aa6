import type { CheckResult } from '../contract.ts';
import { formatDuration } from '../duration.ts';
import { gist } from '../gist.ts';
import { explainRefusal, failedRelease, type Context } from './context.ts';
import type { Of } from './plan.ts';

/** Rounds whose middle is compared with that of as many before them. */
const WINDOW = 20;
/** Settled when the later ones are not faster than this share of the earlier. */
const SETTLED = 0.95;
/** At once, as visitors come: connections to what is behind the app are opened too. */
const AT_ONCE = 4;
const REPLY_TIMEOUT_MS = 10_000;

/** Whether answers do not become faster any more; times in milliseconds, in their order. */
export function hasSettled(times: number[]): boolean {
  if (times.length < 2 * WINDOW) return false;
  const later = median(times.slice(-WINDOW));
  return later >= SETTLED * median(times.slice(-2 * WINDOW, -WINDOW));
}

/**
 * Asks every child of the standby release for pages, again and again, until its answers do not become faster: by then code is
 * compiled, caches are filled and connections are open, and not at the cost of its first visitors. Ends with its time, too.
 */
export async function warmUp(step: Of<'warm-up'>, context: Context): Promise<string> {
  const all = [context.next, ...context.others].map((next) => warmOne(step, { ...context, next }));
  return (await Promise.all(all))[0] ?? '';
}

async function warmOne({ paths, ms }: Of<'warm-up'>, context: Context): Promise<string> {
  const until = performance.now() + ms;
  const times: number[] = [];
  const ask = async (): Promise<void> => {
    while (performance.now() < until && !hasSettled(times)) {
      const start = performance.now();
      for (const path of paths) await visit(path, context);
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  const how = hasSettled(times) ? 'settled' : `not settled within ${formatDuration(ms)}`;
  const [first = 0] = times;
  return `${times.length} rounds, the first in ${first.toFixed(0)} ms, the last in ${median(times.slice(-WINDOW)).toFixed(1)}: ${how}`;
}

async function visit(path: string, context: Context): Promise<void> {
  const { sessions, next, signal } = context;
  signal.throwIfAborted();
  const session = await sessions.with(next?.id ?? '', next?.name);
  const { status, body } = await session
    .ask('check', { path }, REPLY_TIMEOUT_MS)
    .then((result) => result as CheckResult)
    .catch(async (error: unknown) => {
      throw await explainRefusal(context, error, next?.name ?? '');
    });
  if (status < 500) return;
  throw await failedRelease(context, {
    code: 'WARM_UP_FAILED',
    what: `the new release answered ${path} with ${status} while it was warmed up: ${gist(body)}`,
    next: 'correct the release; x-deploy.warm-up names the pages',
  });
}

function median(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}
