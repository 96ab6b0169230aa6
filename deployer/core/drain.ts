import type { Drain, State } from '../contract.ts';
import { DeployError } from '../errors.ts';
import type { Session } from '../engine/session.ts';
import { nameOf, type Context } from './context.ts';
import type { Of } from './plan.ts';

/** To follow the record. */
const LEAVING_MS = 5000;

/** Waits until the instances of the old release have answered everything and left; gives what they say of it. */
export async function drain({ targets }: Of<'drain'>, context: Context): Promise<string> {
  const leaving = context.route?.left(context.drainTimeoutMs);
  const drains = await Promise.all(targets.map((id) => drained(id, context, leaving)));
  const isLeft = await leaving;
  // Of an image that tells nothing only the proxy is known.
  if (!context.config.settings.ctl)
    return isLeft ? 'no request goes to it any more' : 'what it still answers is cut';
  if (drains.includes('answers'))
    return 'the time is over, and it still answers: what is left when it is stopped is cut';
  return said(drains.filter((one) => one !== null && one !== 'answers'));
}

/**
 * Waits until an instance has followed the record and drained; asks it to, should it not watch the record. Where the proxy is
 * told who serves, the instance is told when the proxy is done with it.
 */
async function drained(
  id: string,
  context: Context,
  leaving: Promise<boolean> | undefined,
): Promise<Drain | 'answers' | null> {
  const { drainTimeoutMs: deadlineMs } = context;
  let session: Session | null = null;
  try {
    session = await context.sessions.anew(id); // one that is taken back for its crash boots again, and must stay off
    const told = session;
    void leaving?.then((isLeft) => (isLeft ? tellAlone(told) : undefined)).catch(() => {}); // untold it waits its time
    await session.ask('park', { deadlineMs }, deadlineMs + 5000);
    const left = ({ phase }: State): boolean => phase !== 'serving' && phase !== 'draining';
    return (await session.until(left, deadlineMs + 5000)).drain;
  } catch (error) {
    const info = await context.engine.inspect(id);
    if (!info?.State.Running) return null; // it died meanwhile: nothing listens, nothing to drain
    if (session?.state?.phase === 'draining') return 'answers'; // off the port; it followed the record with a longer time of its own
    throw new DeployError({
      code: 'DRAIN_FAILED',
      what: `the old release did not leave the port: ${(error as Error).message}`,
      subject: nameOf(context, id),
      limit: `${deadlineMs} ms`,
      next: 'run deploy again: it retires what neither serves nor is parked',
    });
  }
}

async function tellAlone(session: Session): Promise<void> {
  await session.until(({ phase }) => phase !== 'serving', LEAVING_MS);
  await session.ask('alone');
}

function said(drains: Drain[]): string {
  const sum = (of: (drain: Drain) => number): number => drains.reduce((all, one) => all + of(one), 0);
  const cut = drains.flatMap(({ cutRequests = [] }) => cutRequests);
  const streams = sum((one) => one.streams ?? 0);
  return [
    `${sum((one) => one.answered)} requests answered while leaving`,
    `${sum((one) => one.cut)} cut${cut.length ? ` (${cut.join(', ')})` : ''}`,
    ...(streams ? [`${streams} streams sent to come again`] : []),
  ].join(', ');
}
