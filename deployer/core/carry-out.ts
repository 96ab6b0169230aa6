import { toDeployError } from '../errors.ts';
import type { Outcome } from '../events.ts';
import type { Context } from './context.ts';
import { execute, tidyUp, type Result } from './execute.ts';
import { goBack } from './go-back.ts';
import { observe } from './observe.ts';
import { makePlan, type Desired, type Plan, type PlanOptions } from './plan.ts';

/** What a run came to for users. */
export type Ended = Omit<Result, 'outcome'> & { outcome: Outcome };

/** Makes the plan and does it; goes back to `from` by itself when the new release does worse. */
export async function carryOut(
  desired: Desired,
  context: Context,
  options: PlanOptions,
  from: string | null,
): Promise<{ plan: Plan; result: Ended }> {
  const { plan, result } = await tidyAndExecute(desired, context, options);
  const { outcome } = result;
  if (outcome === 'worse') return { plan, result: await goBack(result, context, from, options.scale.now) };
  return { plan, result: { ...result, outcome: outcome === 'done' ? achieved(desired) : outcome } };
}

function achieved(desired: Desired): 'done' | 'held' | 'aborted' {
  if (desired.kind === 'abort') return 'aborted';
  return desired.kind === 'deploy' && desired.hold ? 'held' : 'done';
}

/** What tidying changes is looked at again before the plan is made: it may have replaced the instance that serves. */
async function tidyAndExecute(
  desired: Desired,
  context: Context,
  options: PlanOptions,
): Promise<{ plan: Plan; result: Result }> {
  const plan = makePlan(desired, context.observed, options);
  if (plan.tidy.length === 0) return { plan, result: await execute(plan, context) };
  try {
    await tidyUp(plan, context);
    context.mayHaveUsers = false; // what was tidied up may have had some, the next release has none yet
    context.observed = await observe(context.engine, context.config);
  } catch (error) {
    return { plan, result: { outcome: 'failed', error: toDeployError(error), steps: [] } };
  }
  const next = makePlan(desired, context.observed, options);
  return { plan: { ...next, tidy: plan.tidy }, result: await execute(next, context) };
}
