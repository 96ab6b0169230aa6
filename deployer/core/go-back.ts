import { DeployError } from '../errors.ts';
import type { Context } from './context.ts';
import { execute, withExit, type Result } from './execute.ts';
import { observe, parkedInstance } from './observe.ts';
import { makePlan } from './plan.ts';

/** What came of it: the release before serves again, or a person must look. */
export type Returned = Omit<Result, 'outcome'> & { outcome: 'returned' | 'incomplete' };

/**
 * Goes back to the release before, `from`, while it is parked; once, and whatever that one does, in as many containers as it had (`scale`). The worse one is not kept
 * warm.
 */
export async function goBack(
  worse: Result,
  context: Context,
  from: string | null,
  scale: number,
): Promise<Returned> {
  const error =
    worse.error ?? new DeployError({ code: 'WORSE', what: 'it does worse', next: 'deploy rollback' });
  context.observed = await observe(context.engine, context.config);
  const to = parkedInstance(context.observed);
  if (!to || to.release !== from) {
    const next = 'deploy rollback   deploys the release before again: it is not parked';
    return { ...worse, outcome: 'incomplete', error: withExit(new DeployError({ ...error.details, next })) };
  }
  context.emit({ type: 'notice', level: 'warn', text: `${error.message}; going back to ${to.release}` });
  const plan = makePlan({ kind: 'rollback', to }, context.observed, {
    park: false,
    keepMs: null,
    watchMs: 0,
    canary: null,
    hooks: [],
    warmUp: null,
    migrate: null,
    route: context.observed.route,
    scale: { now: scale, next: scale },
    workers: context.config.settings.workers,
  });
  const back = await execute(plan, { ...context, signal: new AbortController().signal });
  const steps = [...worse.steps, ...back.steps];
  if (back.outcome === 'done') return { outcome: 'returned', error, steps };
  const evidence = [`going back: ${back.error?.message}`, ...(error.details.evidence ?? [])];
  const next = 'deploy status   shows what serves; then deploy rollback';
  return {
    outcome: 'incomplete',
    error: withExit(new DeployError({ ...error.details, evidence, next })),
    steps,
  };
}
