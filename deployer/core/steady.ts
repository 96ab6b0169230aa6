import { DeployError } from '../errors.ts';
import { failedRelease, type Context } from './context.ts';
import type { Of } from './plan.ts';

/**
 * The last look before admission: the release has lived long enough in standby without a crash, and its weight is that of
 * its container again.
 */
export async function steady(_step: Of<'steady'>, context: Context): Promise<string | void> {
  const { next, standbySince, config } = context;
  const changed = (await Promise.all(context.weights.splice(0))).filter((restore) => restore !== null);
  const restored = await Promise.all(changed.map((restore) => restore()));
  if (restored.includes(false)) {
    throw new DeployError({
      code: 'WEIGHT_STAYS',
      what: 'the CPU weight of the new release, another while it booted, could not be put back',
      subject: next?.name ?? '',
      next: 'set x-deploy.boot-weight: 1, which leaves it alone',
    });
  }
  const left = config.settings.settle - (performance.now() - standbySince);
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  context.signal.throwIfAborted();
  const crashes = await whyItCrashes(context);
  if (crashes) throw crashes;
  await othersAreWell(context);
  return changed.length ? 'its CPU weight is its own again' : undefined;
}

/** Throws for a further instance of the next release that has ended, or has lost a process, while it waits in standby. */
export async function othersAreWell(context: Context): Promise<void> {
  for (const next of context.others) {
    const crashes = await whyItCrashes({ ...context, next });
    if (crashes) throw crashes;
  }
}

/** The error for a release of which a process has ended since it was ready; null when none has. */
export async function whyItCrashes(context: Context): Promise<DeployError | null> {
  const { sessions, next } = context;
  const state = next && (await sessions.stateOf(next.id));
  const restarts = state?.restarts ?? 0;
  if (state && restarts === 0) return null;
  return await failedRelease(context, {
    code: 'CRASHES',
    what: `the new release crashes after it is ready: ${state ? `${restarts} of its processes ended by themselves` : 'it has ended by itself'}`,
    next: 'correct what its last lines say, and deploy again',
  });
}
