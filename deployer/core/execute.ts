import { EXIT, Interrupted, toDeployError, type DeployError } from '../errors.ts';
import type { Context } from './context.ts';
import { describeStep } from './describe.ts';
import { withLastWords } from './evidence.ts';
import type { Plan, Step } from './plan.ts';
import { HANDLERS } from './steps.ts';

export interface Result {
  /** `worse`: all steps are done, and the release that now serves should not. */
  outcome: 'done' | 'worse' | 'failed' | 'incomplete' | 'interrupted';
  error: DeployError | null;
  steps: { id: string; ms: number }[];
}

/** A step after the pivot is tried this often before the run ends incomplete. */
const FORWARD_TRIES = 3;

/**
 * Does the steps of a tidied plan in order and decides nothing. Before the pivot a failure, or Ctrl-C, undoes what was done,
 * in reverse, the failed step first. After it a failing step is tried again, and never undone.
 */
export async function execute(plan: Plan, context: Context): Promise<Result> {
  const steps: Result['steps'] = [];
  const begun: Step[] = [];
  try {
    for (const step of plan.reversible) {
      context.signal.throwIfAborted();
      begun.push(step);
      await run(step, context, steps);
    }
    context.signal.throwIfAborted();
    if (plan.pivot) {
      begun.push(plan.pivot);
      await run(plan.pivot, context, steps);
    }
  } catch (error) {
    const thrown = toDeployError(error);
    if (thrown.exit === EXIT.incomplete) return { outcome: 'incomplete', error: thrown, steps }; // interrupted or not
    const cause = context.signal.aborted
      ? interruptedIn(begun)
      : await withLastWords(thrown, context.engine, context.next);
    cause.details.undone = await undo(begun, context);
    return { outcome: context.signal.aborted ? 'interrupted' : 'failed', error: cause, steps };
  }
  try {
    for (const step of plan.forward) await insist(step, context, steps);
  } catch (error) {
    const cause = toDeployError(error);
    return { outcome: 'incomplete', error: withExit(cause), steps };
  }
  try {
    for (const step of plan.watch) await run(step, context, steps);
    return { outcome: 'done', error: null, steps };
  } catch (error) {
    return { outcome: 'worse', error: toDeployError(error), steps };
  }
}

/** Finishes what an interrupted run left. A failure ends the run before it has changed anything else. */
export async function tidyUp(plan: Pick<Plan, 'tidy'>, context: Context): Promise<void> {
  for (const step of plan.tidy) await insist(step, context, []);
}

/** The hook at the end of a run: its failure is a warning, whatever it is. */
export async function runLast(step: Extract<Step, { do: 'hook' }>, context: Context): Promise<void> {
  try {
    await run(step, context, []);
  } catch (error) {
    context.emit({ type: 'notice', level: 'warn', text: (error as Error).message });
  }
}

async function run(step: Step, context: Context, steps: Result['steps']): Promise<void> {
  const { emit } = context;
  const { id } = step;
  const title = describeStep(step);
  const start = performance.now();
  const ms = (): number => Math.round(performance.now() - start);
  emit({ type: 'step', id, title, status: 'start' });
  try {
    const detail = await (HANDLERS[step.do].run as (s: Step, c: Context) => Promise<string | void>)(
      step,
      context,
    );
    emit({ type: 'step', id, title, status: 'done', ms: ms(), ...(detail ? { detail } : {}) });
    steps.push({ id, ms: ms() });
  } catch (error) {
    emit({ type: 'step', id, title, status: 'failed', ms: ms(), detail: (error as Error).message });
    const cause = toDeployError(error);
    cause.details.step ??= title;
    throw cause;
  }
}

async function insist(step: Step, context: Context, steps: Result['steps']): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run(step, context, steps);
    } catch (error) {
      if (attempt === FORWARD_TRIES) throw error;
    }
  }
}

/**
 * Takes back the begun steps, the last first, and gives those it took back. A step that cannot be undone does not keep the
 * others from it.
 */
async function undo(begun: Step[], context: Context): Promise<string[]> {
  const undone: string[] = [];
  for (const step of begun.toReversed()) {
    const handler = HANDLERS[step.do].undo as ((s: Step, c: Context) => Promise<void>) | null;
    if (!handler) continue;
    const title = describeStep(step);
    const start = performance.now();
    const ms = (): number => Math.round(performance.now() - start);
    try {
      await handler(step, context);
      context.emit({ type: 'step', id: step.id, title, status: 'undone', ms: ms() });
      undone.push(title);
    } catch (error) {
      const text = `could not undo "${title}": ${(error as Error).message}; the next deploy cleans it up`;
      context.emit({ type: 'notice', level: 'warn', text });
    }
  }
  return undone;
}

function interruptedIn(begun: Step[]): DeployError {
  const error = new Interrupted();
  const step = begun.at(-1);
  if (step) error.details.step = describeStep(step);
  return error;
}

/** The same error, for a run that a person must look after. */
export function withExit(error: DeployError): DeployError {
  error.details.exit = EXIT.incomplete;
  return error;
}
