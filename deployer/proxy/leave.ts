import { setTimeout as sleep } from 'node:timers/promises';
import type { Context, Next } from '../core/context.ts';
import { DeployError, EXIT } from '../errors.ts';
import { formatDuration } from '../duration.ts';
import { countOf } from '../size.ts';
import { confirm } from './confirm.ts';
import type { ProxyStep } from './plan.ts';
import { socketsOf } from './sockets.ts';

/** Between two looks at one that leaves: each starts a process in it. */
const LOOK_EVERY_MS = 1000;
const ALL_ANSWERED = 'it has answered all that it had begun';

/**
 * Sends the signal by which the image says that it ends gracefully. The engine takes it for a wish to stop, and does not start the
 * container again; one that has been told already goes on leaving.
 */
export async function tellToLeave({ engine }: Context, id: string): Promise<void> {
  const info = await engine.inspect(id);
  if (!info?.State.Running) return;
  const signal = (info.Config as { StopSignal?: string }).StopSignal || 'SIGTERM';
  await engine.signal(id, signal);
}

/** Waits until it has ended by itself. At the deadline it is ended, and what is cut by that is counted. */
export async function leaves(context: Context, { id, name }: Next): Promise<string> {
  const { engine, emit, leaveMs: limit } = context;
  const start = performance.now();
  const end = engine.ended(id).then(
    () => true,
    () => true, // gone: it has ended as well
  );
  for (;;) {
    const rest = limit - (performance.now() - start);
    if (await Promise.race([end, sleep(Math.max(0, Math.min(LOOK_EVERY_MS, rest)), false)]))
      return ALL_ANSWERED;
    await tellToLeave(context, id); // one that was just starting has not heard it: its start script did
    const open = await openIn(context, id);
    const many = open === null ? 'it cannot be seen how many connections are' : countOf(open, 'connection');
    if (rest <= 0) {
      await engine.remove(id, 0);
      return `${many} cut after ${formatDuration(limit)}`;
    }
    if (open !== null) emit({ type: 'progress', id: `retire:${name}`, text: `${many} open` });
  }
}

/**
 * When the answer to the signal is lost, the sockets tell whether it was heard. Rethrows when it was not; throws `PIVOT_UNKNOWN`,
 * after which nothing is undone, when that cannot be seen.
 */
export async function hasLeft({ engine }: Context, id: string, error: unknown): Promise<void> {
  const sockets = await engine
    .inspect(id)
    .then(async (info) => (info?.State.Running ? await socketsOf(engine, id) : { listens: false }))
    .catch(() => null);
  if (sockets?.listens) throw error;
  if (sockets) return;
  throw new DeployError({
    code: 'PIVOT_UNKNOWN',
    exit: EXIT.incomplete,
    what: `no answer to the signal, and it cannot be seen whether the old proxy leaves: ${(error as Error).message}`,
    subject: id.slice(0, 12),
    next: 'deploy status   says how many proxies run; then deploy resume',
  });
}

/** Ends a proxy, but never the last one: another must answer first. */
export async function retire(
  { target, name }: Extract<ProxyStep, { do: 'proxy-retire' }>,
  context: Context,
): Promise<string | void> {
  const { engine, config } = context;
  const info = await engine.inspect(target);
  const all = await engine.instances(config.project, config.settings.proxy, '');
  const one = all.find(({ id }) => id === target);
  let said: string | undefined;
  if (info?.State.Running && one?.visible) {
    const { next } = context; // it was seen to answer before the old one was told to leave
    if (!next || next.id === target)
      await confirm(context, await requireAnother(context, { id: target, name }), 'any');
    await tellToLeave(context, target);
    said = await leaves(context, { id: target, name });
  }
  await engine.remove(target, 0);
  return said;
}

/** Gives one that takes new connections beside this one; throws `LAST_ONE` when there is none. */
export async function requireAnother({ engine, config }: Context, { id, name }: Next): Promise<Next> {
  const all = await engine.instances(config.project, config.settings.proxy, '');
  for (const other of all.filter((one) => one.id !== id && one.visible && one.running))
    if ((await socketsOf(engine, other.id).catch(() => null))?.listens) return other;
  throw new DeployError({
    code: 'LAST_ONE',
    what: 'no other proxy takes connections: this one is not ended',
    subject: name,
    next: 'docker compose ps proxy   and   docker compose logs proxy   say more; then run this again',
  });
}

async function openIn({ engine }: Context, id: string): Promise<number | null> {
  return await socketsOf(engine, id).then(
    ({ open }) => open,
    () => null, // it has ended
  );
}
