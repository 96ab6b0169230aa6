import { listenersOf, whyNot } from '../engine/listening.ts';
import type { Session } from '../engine/session.ts';
import type { Context } from './context.ts';

/** How far a release came that was not healthy in time. */
export interface Last {
  check: string | null;
  session: Session | null;
}

interface Details {
  code: string;
  what: string;
  next: string;
}

const LATE = 'the new release was not healthy in time';

/** Of a release that was not healthy in time: what was asked, what came of it, and what to change. */
export async function whyNotInTime(last: Last, context: Context, id: string): Promise<Details> {
  const { check, session } = last;
  const said = check ?? session?.state?.problem;
  if (!context.config.settings.ctl) return await ofForeign(said, context, id);
  if (!check && !session?.state) {
    return {
      code: 'NO_CONTROL',
      what: 'the new release runs, but nothing in it answers its control command',
      next: 'make the image follow docs/contract.md (seven lines for an Express app), or allow more time: --timeout 2m',
    };
  }
  return {
    code: 'NEVER_HEALTHY',
    what: `${LATE}; ${said ?? `it is still ${session?.state?.phase}`}`,
    next: 'correct the release, or allow more time: --timeout 2m',
  };
}

/** An image that says nothing by itself: the kernel knows where it listens. */
async function ofForeign(
  said: string | null | undefined,
  { config: { project, settings }, engine }: Context,
  id: string,
): Promise<Details> {
  const { health, proxy } = settings;
  const [info, front] = await Promise.all([engine.inspect(id), engine.single(project, proxy)]);
  const address = front?.Config.Env?.find((entry) => entry.startsWith('APP_ADDRESS='));
  const port = Number(/:(\d+)$/.exec(address ?? '')?.[1]);
  const listeners = info && port ? await listenersOf(info) : null;
  const why = listeners && whyNot(listeners, port, proxy);
  const what = `${LATE}; ${said ?? `${health} was not answered`}`;
  if (why) return { code: 'NEVER_HEALTHY', what: `${what}; ${why}`, next: 'correct that, and deploy again' };
  const next = `x-deploy.health names the path that is asked (${health}), which must answer below 400; or allow more time: --timeout 2m`;
  return { code: 'NEVER_HEALTHY', what, next };
}
