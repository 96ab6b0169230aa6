import type { Config } from '../config.ts';
import type { State } from '../contract.ts';
import type { Engine } from '../engine/docker.ts';
import type { Restore } from '../engine/weight.ts';
import type { Route } from '../engine/route.ts';
import { noContract, RefusedError } from '../engine/session.ts';
import { DeployError } from '../errors.ts';
import type { Emit, Outcome } from '../events.ts';
import type { Probe } from '../probe.ts';
import { lastWords } from './evidence.ts';
import type { Observed } from './observe.ts';
import type { Sessions } from './sessions.ts';
import type { Baseline } from './watch.ts';

export interface Next {
  id: string;
  name: string;
  imageId?: string;
}

/** What the steps of one run share. */
export interface Context {
  config: Config;
  engine: Engine;
  observed: Observed;
  probe: Probe;
  /** Where users reach the proxy. */
  url: URL;
  sessions: Sessions;
  /** Where the proxy is told who serves; null where the kernel, or a name, decides. */
  route: Route | null;
  baseline: Baseline;
  emit: Emit;
  /** Aborted by Ctrl-C until the pivot. */
  signal: AbortSignal;
  timeoutMs: number;
  drainTimeoutMs: number;
  /** The next release was admitted, or the proxy led to it: it may be answering somebody. */
  mayHaveUsers?: boolean;
  /** And of a proxy. */
  leaveMs: number;
  /** The git revision that `--build` builds. */
  revision: string;
  /** Who does this, for hooks and history. */
  performer: string;
  env: Record<string, string | undefined>;
  /** How the run ended, once it did and not well. */
  failure: { outcome: Outcome; error: DeployError } | null;
  /** Since when the new instance is in standby, by `performance.now()`. */
  standbySince: number;
  /** Put the CPU weights of its instances back, where they were changed for the boot. */
  weights: Promise<Restore | null>[];
  /** The new or re-admitted instance, once there is one. */
  next: Next | null;
  /** The further ones of its release. They are proven like it, and follow the record when it is promoted. */
  others: Next[];
}

/** The engine reports an exit shortly after the container's streams close. */
export const EXIT_GRACE_MS = 1000;
const EXIT_POLL_MS = 50;

/**
 * Rejects when the run is interrupted or `ms` have passed, whichever is first; else gives what `work` gives. A refusal
 * of the next instance is explained.
 */
export async function within<T>(
  context: Context,
  ms: number,
  work: Promise<T>,
  late: () => Error,
): Promise<T> {
  context.signal.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  const stop = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
    onAbort = () => reject(context.signal.reason as Error);
    context.signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work, stop]);
  } catch (error) {
    throw await explainRefusal(context, error, context.next?.name ?? '');
  } finally {
    clearTimeout(timer);
    context.signal.removeEventListener('abort', onAbort);
    work.catch(() => {});
  }
}

/** The name of a container that was there when the run began. */
export function nameOf(context: Context, id: string): string {
  return context.observed.instances.find((one) => one.id === id)?.name ?? id.slice(0, 12);
}

/** An error about the next instance, with the container's last lines and what its health check said. */
export async function failedRelease(
  context: Context,
  details: { code: string; what: string; limit?: string; next: string; evidence?: string[] },
): Promise<DeployError> {
  const { next, engine, config } = context;
  const words = next ? await lastWords(engine, next) : [];
  const logs = words.some((line) => line.startsWith('last lines'))
    ? words
    : ['it wrote no log line', ...words];
  return new DeployError({
    ...details,
    subject: next?.name ?? config.settings.service,
    evidence: [...(details.evidence ?? []), ...logs],
  });
}

/** Turns a refusal of the next instance into an error with evidence. */
export async function explainRefusal(context: Context, error: unknown, image: string): Promise<unknown> {
  if (!(error instanceof RefusedError)) return error;
  const next = 'correct what its last lines say, and deploy again';
  if (error.code !== 'SESSION_CLOSED')
    return await failedRelease(context, { code: error.code, what: error.message, next });
  if (await hasEnded(context))
    return await failedRelease(context, {
      code: 'CRASHES',
      what: 'the new release ended by itself after it was ready',
      next,
    });
  const unknown = noContract(context.next?.name ?? image, image, error.message).details;
  return await failedRelease(context, { code: unknown.code, what: unknown.what, next: unknown.next });
}

/** Rejects when the admitted instance ends, loses a process, or leaves the port. */
export async function falters(context: Context, ms: number): Promise<never> {
  const session = await context.sessions.with(context.next?.id ?? '', context.next?.name);
  const { restarts } = (await session.ask('state')) as State;
  const state = await session.until((now) => now.phase !== 'serving' || now.restarts > restarts, ms);
  throw await failedRelease(context, {
    code: 'CRASHES',
    what: `the new release did not stay up once it was admitted: ${
      state.restarts > restarts ? 'one of its processes ended by itself' : `it is ${state.phase}`
    }`,
    next: 'correct what its last lines say, and deploy again',
  });
}

/** Whether the next container has ended, or ended and was started again; waits for the engine to notice. */
async function hasEnded({ engine, next }: Context): Promise<boolean> {
  const deadline = performance.now() + EXIT_GRACE_MS;
  for (;;) {
    const info = next && (await engine.inspect(next.id));
    if (!info?.State.Running || info.RestartCount > 0) return true;
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, EXIT_POLL_MS));
  }
}
