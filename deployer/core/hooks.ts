import { formatDuration } from '../duration.ts';
import { DeployError } from '../errors.ts';
import type { HookEnd } from '../hooks/process.ts';
import type { HookName, HookSettings } from '../hooks/schema.ts';
import { explainRefusal, falters, type Context } from './context.ts';
import type { Step } from './plan.ts';

type HookStep = Extract<Step, { do: 'hook' }>;

const EVIDENCE_LINES = 10;
/** Longer than the hook has, its end included. */
const WATCH_EXTRA_MS = 10_000;

/** Runs the operator's command of this moment; one that fails, or takes too long, is an error with its last lines. */
export async function hook(step: HookStep, context: Context): Promise<void> {
  const settings = context.config.settings.hooks[step.hook];
  if (!settings) return;
  if (step.hook === 'post-admit') await besideUsers(step, settings, context);
  else await runOnce(step, settings, context, null);
}

/** Beside this hook the new release has users: the hook ends when that does not stay up. */
async function besideUsers(step: HookStep, settings: HookSettings, context: Context): Promise<void> {
  const stop = new AbortController();
  let over = false;
  const faltered = falters(context, settings.timeout + WATCH_EXTRA_MS).catch(async (error: unknown) => {
    if (over) return error;
    stop.abort();
    return await explainRefusal(context, error, step.release);
  });
  try {
    await runOnce(step, settings, context, stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? await faltered : error;
  } finally {
    over = true;
  }
}

async function runOnce(
  step: HookStep,
  { command, timeout }: HookSettings,
  context: Context,
  stop: AbortSignal | null,
): Promise<void> {
  const { config, emit, env, signal } = context;
  const { runHook } = await import('../hooks/process.ts');
  const facts = factsOf(step, context);
  const last: string[] = [];
  // Interrupted before: this hook belongs to the end of the run, and the next Ctrl-C ends all at once.
  const signals = [...(signal.aborted ? [] : [signal]), ...(stop ? [stop] : [])];
  const end = await runHook({
    words: typeof command === 'string' ? ['sh', '-c', command] : command,
    cwd: config.directory,
    env: { ...env, ...variables(facts) },
    input: `${JSON.stringify({ v: 1, ...facts })}\n`,
    timeoutMs: timeout,
    signal: signals.length ? AbortSignal.any(signals) : null,
    onLine: (text) => {
      last.push(text);
      if (last.length > EVIDENCE_LINES) last.shift();
      emit({ type: 'output', hook: step.hook, text });
    },
  });
  if (end.ended !== 'by itself' || end.code !== 0) throw failed(step.hook, end, timeout, last);
}

/** What a hook is told, as JSON on its standard input. */
interface Facts {
  hook: HookName;
  release: string;
  previousRelease: string | null;
  image: string;
  performer: string;
  project: string;
  /** Null while the run goes on. */
  outcome: string | null;
  error: { code: string; message: string } | null;
}

function factsOf(step: HookStep, { config, observed, performer, failure }: Context): Facts {
  const runs = step.hook === 'pre-deploy' || step.hook === 'post-admit';
  return {
    hook: step.hook,
    release: step.release,
    previousRelease: observed.record?.serving ?? null,
    image: step.image,
    performer,
    project: config.project,
    outcome: failure?.outcome ?? (runs ? null : 'done'),
    error: failure && { code: failure.error.details.code, message: failure.error.message },
  };
}

/**
 * The same for a shell; what is not known is empty. Not by the names that compose.yaml reads: a hook that calls Compose must
 * see the stack as it is.
 */
function variables(facts: Facts): Record<string, string> {
  return {
    DEPLOY_HOOK: facts.hook,
    DEPLOY_RELEASE: facts.release,
    DEPLOY_PREVIOUS_RELEASE: facts.previousRelease ?? '',
    DEPLOY_IMAGE: facts.image,
    DEPLOY_PERFORMER: facts.performer,
    DEPLOY_PROJECT: facts.project,
    DEPLOY_OUTCOME: facts.outcome ?? '',
    DEPLOY_ERROR_CODE: facts.error?.code ?? '',
    DEPLOY_ERROR: facts.error?.message ?? '',
  };
}

function failed(name: HookName, { code, ended }: HookEnd, timeout: number, last: string[]): DeployError {
  const limit = formatDuration(timeout);
  const late = ended === 'deadline';
  const how = late ? `it took longer than ${limit}` : ended === 'signal' ? 'it was stopped' : exitOf(code);
  return new DeployError({
    code: late ? 'HOOK_TIMEOUT' : 'HOOK_FAILED',
    what: `the hook ${name} failed: ${how}`,
    subject: `x-deploy.hooks.${name}`,
    ...(late ? { limit } : {}),
    next: late
      ? 'make it faster, or give it more time: { command: …, timeout: 5m }'
      : 'correct what it says; --no-hooks leaves hooks out',
    evidence: last.length
      ? [`last lines of ${name}:`, ...last.map((line) => `  ${line}`)]
      : ['it wrote no line'],
  });
}

function exitOf(code: number | null): string {
  return code === null ? 'a signal ended it' : `exit code ${code}`;
}
