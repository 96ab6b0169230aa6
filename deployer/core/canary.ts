import type { Figures, State } from '../contract.ts';
import { failedRelease, type Context } from './context.ts';
import { Judge, since } from './judge.ts';
import type { Of } from './plan.ts';
import { inMs, look, type Standing } from './watch.ts';

const LOOK_EVERY_MS = 250;
/** Connections that the proxy keeps would stay where they are: of so many answers one closes its own. */
const CLOSE_EVERY = 10;
/** What an instance can open for each of its children (`weigh` in docs/contract.md). */
const MAX_SOCKETS = 500;

/** Sockets for each child of either release so that the new one has a share of all sockets on the port. */
export interface Weights {
  next: number;
  old: number;
}

/** The fewest sockets that come closest to `percent`, for so many children of either release. */
export function weightsFor(percent: number, children: { next: number; old: number }): Weights {
  let best = { next: 1, old: 1 };
  let off = Infinity;
  const share = (one: Weights): number =>
    (one.next * children.next) / (one.next * children.next + one.old * children.old);
  for (let sum = 2; sum <= MAX_SOCKETS; sum++) {
    for (let next = 1; next < sum; next++) {
      const one = { next, old: sum - next };
      const distance = Math.abs(share(one) * 100 - percent);
      if (distance < off - 0.1) [best, off] = [one, distance];
    }
  }
  return best;
}

/** Gives the old release its sockets before the new one listens at all, or both their usual ones again. */
export async function weigh({ percent, targets }: Of<'weigh'>, context: Context): Promise<string> {
  const weights = percent === null ? { next: 1, old: 1 } : await weightsOf(percent, targets, context);
  const change = { on: percent !== null, every: CLOSE_EVERY };
  for (const id of targets) await tell(id, { sockets: weights.old }, change, context);
  if (context.next) await tell(context.next.id, { sockets: weights.next }, change, context);
  return `${weights.next} and ${weights.old} sockets for each child`;
}

/** Takes back what `weigh` has told the old release; one that is gone has nothing to take back. */
export async function unweigh({ targets }: Of<'weigh'>, context: Context): Promise<void> {
  for (const id of targets) await tell(id, { sockets: 1 }, { on: false }, context).catch(() => {});
}

/** Lets the new release have its share for a time, and compares the two meanwhile; throws when it does worse. */
export async function canary({ ms, targets }: Of<'canary'>, context: Context): Promise<string> {
  const next = [context.next?.id ?? ''];
  const begin = await Promise.all([look(context, next), look(context, targets)]);
  const { restarts } = begin[0][0];
  const until = performance.now() + ms;
  const between = async (): Promise<[Standing, Figures, Figures]> => {
    const [[state, now], [, then]] = await Promise.all([look(context, next), look(context, targets)]);
    return [state, since(begin[0][1], now), since(begin[1][1], then)];
  };
  const judge = new Judge(performance.now());
  for (;;) {
    context.signal.throwIfAborted();
    const [state, seen, meanwhile] = await between();
    const worse = judge.look(seen, { errors: meanwhile, pace: meanwhile }, performance.now());
    if (state.restarts > restarts) worse.push('one of its processes ended by itself');
    if (state.phase !== 'serving') worse.push(`it is ${state.phase}`);
    if (worse.length) throw await tooBad(worse, seen, meanwhile, context);
    const left = until - performance.now();
    if (left <= 0) return said(seen, meanwhile);
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_EVERY_MS, left)));
  }
}

async function weightsOf(percent: number, old: string[], context: Context): Promise<Weights> {
  const count = async (id: string): Promise<number> => {
    const state = (await (await context.sessions.with(id)).ask('state')) as State;
    return Math.max(1, state.children.filter(({ ready }) => ready).length);
  };
  const olds = await Promise.all(old.map(count));
  const next = await count(context.next?.id ?? '');
  return weightsFor(percent, { next, old: olds.reduce((sum, one) => sum + one, 0) });
}

async function tell(
  id: string,
  weight: { sockets: number },
  loosen: { on: boolean; every?: number },
  { sessions }: Context,
): Promise<void> {
  const session = await sessions.with(id);
  await session.ask('weigh', weight);
  await session.ask('loosen', loosen);
}

function said(next: Figures, old: Figures): string {
  const total = next.answered + old.answered;
  const percent = total ? ((next.answered / total) * 100).toFixed(1) : '0';
  return `${next.answered} of ${total} answers (${percent} %), ${next.errors} errors; half within ${inMs(next)}, the old one ${inMs(old)}`;
}

async function tooBad(worse: string[], next: Figures, old: Figures, context: Context): Promise<Error> {
  return await failedRelease(context, {
    code: 'WORSE',
    what: `the new release does worse than the old one beside it: ${worse.join('; ')}`,
    next: 'correct the release, and deploy again',
    evidence: [said(next, old)],
  });
}
