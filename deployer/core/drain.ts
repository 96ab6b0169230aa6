import type { Drain, State } from '../contract.ts';
import { DeployError } from '../errors.ts';
import { nameOf, type Context } from './context.ts';
import type { Of } from './plan.ts';

/** Waits until the instances of the old release have answered everything and left; gives what they say of it. */
export async function drain({ targets }: Of<'drain'>, context: Context): Promise<string> {
  const [isLeft, ...drains] = await Promise.all([
    context.route?.left(context.drainTimeoutMs),
    ...targets.map((id) => drained(id, context)),
  ]);
  // Of an image that tells nothing only the proxy is known.
  if (!context.config.settings.ctl)
    return isLeft ? 'no request goes to it any more' : 'what it still answers is cut';
  return said(drains.filter((one) => one !== null));
}

/** Waits until an instance has followed the record and drained; asks it to, should it not watch the record. */
async function drained(id: string, context: Context): Promise<Drain | null> {
  const { drainTimeoutMs: deadlineMs } = context;
  try {
    const session = await context.sessions.anew(id); // one that is taken back for its crash boots again, and must stay off
    await session.ask('park', { deadlineMs }, deadlineMs + 5000);
    const left = ({ phase }: State): boolean => phase !== 'serving' && phase !== 'draining';
    return (await session.until(left, deadlineMs + 5000)).drain;
  } catch (error) {
    const info = await context.engine.inspect(id);
    if (!info?.State.Running) return null; // it died meanwhile: nothing listens, nothing to drain
    throw new DeployError({
      code: 'DRAIN_FAILED',
      what: `the old release did not leave the port: ${(error as Error).message}`,
      subject: nameOf(context, id),
      limit: `${deadlineMs} ms`,
      next: 'run deploy again: it retires what neither serves nor is parked',
    });
  }
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
