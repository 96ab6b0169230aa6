import { loadConfig, type Config, type ProjectOptions } from './config.ts';
import { Account } from './core/account.ts';
import { Sessions, type Context } from './core/context.ts';
import { describePlan } from './core/describe.ts';
import { execute, runLast, tidyUp, type Result } from './core/execute.ts';
import { observe, requirePod, type Observed } from './core/observe.ts';
import { makePlan, type Desired, type Plan, type PlanOptions } from './core/plan.ts';
import { Engine } from './engine/docker.ts';
import { EXIT, Interrupted, toDeployError, type ExitCode } from './errors.ts';
import { tee, type Emit } from './events.ts';
import { lastOf, waitedFor } from './hooks/schema.ts';
import { performerOf } from './performer.ts';
import { Probe } from './probe.ts';
import { Journal, readInterruption } from './store/journal.ts';
import { Lock } from './store/lock.ts';
import { stateFolder } from './store/paths.ts';

/** What every command gets from the command line. */
export interface Globals extends ProjectOptions {
  timeoutMs?: number | undefined;
  drainTimeoutMs?: number | undefined;
  park?: boolean | undefined;
  /** Runs the hooks of compose.yaml. */
  hooks: boolean;
  dryRun: boolean;
  yes: boolean;
  json: boolean;
  /** Shows an event to the user. */
  emit: Emit;
  /** Writes a line of a command's result to standard output. */
  print: (line: string) => void;
  /** Called on Ctrl-C; the first call wins until it is replaced. */
  onInterrupt: (handler: (() => void) | null) => void;
}

/** What a run changes: the wish, its words for people, and the git revision when it builds. */
export interface Wish {
  command: string;
  release: string;
  image: string;
  desired: Desired;
  revision?: string;
}

/** Connects, reads the project and takes a snapshot. */
export async function open(
  globals: Globals,
): Promise<{ config: Config; engine: Engine; observed: Observed }> {
  const config = await loadConfig(globals);
  const engine = new Engine();
  return { config, engine, observed: await observe(engine, config) };
}

/** Makes the wish from a snapshot; `folder` is where the history is. */
type Decide = (observed: Observed, engine: Engine, config: Config, folder: string) => Promise<Wish>;

/**
 * The frame of every change: lock, snapshot, plan, probe, execute, history, report. `decide` makes the wish from the
 * snapshot that was taken under the lock. Returns the exit code.
 */
export async function change(globals: Globals, command: string, decide: Decide): Promise<ExitCode> {
  const start = performance.now();
  const config = await loadConfig(globals);
  const engine = new Engine();
  if (globals.dryRun) return await dryRun(globals, config, engine, decide);
  const pod = await requirePod(engine, config);
  const folder = await stateFolder(globals.env, config.project);
  const notice = (text: string): void => globals.emit({ type: 'notice', level: 'info', text });
  const lock = await Lock.take(engine, config.project, pod.imageId, command, (owner) => {
    notice(
      `took over the lock of ${owner ? `${owner.user}@${owner.host} (pid ${owner.pid}), which is gone` : 'a dead deploy'}`,
    );
  });
  try {
    const [observed, interruption] = await Promise.all([observe(engine, config), readInterruption(folder)]);
    const wish = await decide(observed, engine, config, folder);
    if (interruption) notice(explain(interruption, observed));
    return await perform({ globals, config, engine, observed, folder, wish, start, url: pod.url });
  } finally {
    await lock.release();
  }
}

interface Performance {
  globals: Globals;
  config: Config;
  engine: Engine;
  observed: Observed;
  folder: string;
  wish: Wish;
  start: number;
  url: URL;
}

async function perform({
  globals,
  config,
  engine,
  observed,
  folder,
  wish,
  start,
  url,
}: Performance): Promise<ExitCode> {
  const { settings } = config;
  const from = observed.record?.serving ?? null;
  const journal = await Journal.begin(folder);
  let switched = false;
  const watchSwitch: Emit = (event) => {
    if (event.type === 'step' && event.id === 'promote') switched = event.status !== 'failed';
  };
  // The journal first: nobody is told what it does not hold.
  const account = new Account();
  const emit = tee((event) => journal.write(event), watchSwitch, account.note, globals.emit);
  const interrupt = new AbortController();
  const probe = new Probe(new URL(settings.probe, url));
  const sessions = new Sessions(engine, settings.ctl);
  const context: Context = {
    config,
    engine,
    observed,
    probe,
    sessions,
    emit,
    signal: interrupt.signal,
    timeoutMs: globals.timeoutMs ?? settings.timeout,
    drainTimeoutMs: globals.drainTimeoutMs ?? settings['drain-timeout'],
    revision: wish.revision ?? '',
    performer: performerOf(globals.env),
    env: globals.env,
    failure: null,
    next: null,
  };
  const { command, release, image } = wish;
  emit({ type: 'begin', command, project: config.project, release, image, from });
  let servingMs: number | null = null;
  probe.start((answered) => {
    if (servingMs !== null || answered !== release) return;
    servingMs = Math.round(performance.now() - start);
    emit({ type: 'serving', release, ms: servingMs });
  });
  // An exec takes its time: have the conversation with the old instances open before it is needed.
  for (const one of observed.instances)
    if (one.running && one.release === from) void sessions.with(one.id, one.name);
  globals.onInterrupt(() => {
    const what = switched ? 'the switch is made, so this run finishes' : 'interrupted: undoing';
    emit({ type: 'notice', level: 'warn', text: `${what} (again: stop at once and leave it as it is)` });
    interrupt.abort(new Interrupted());
  });

  const { plan, result } = await tidyAndExecute(wish, context, planOptions(globals, config, wish));
  globals.onInterrupt(null);
  await sessions.endAll();
  const count = await probe.stop();
  const exit = result.error?.exit ?? EXIT.done;
  const ms = Math.round(performance.now() - start);
  if (result.error) {
    const serving = result.outcome === 'incomplete' ? null : from;
    emit({ type: 'error', error: result.error.details, serving });
  }
  const ending = { ...wish, from, plan, result, ms, servingMs, probe: count };
  const report = await account.write(folder, context, ending);
  await lastHook(globals, wish, context, result, interrupt);
  emit({ type: 'end', outcome: result.outcome, exit, release, image, ms, probe: count, report });
  journal.close();
  return exit;
}

function planOptions({ park, hooks }: Globals, { settings }: Config, { command }: Wish): PlanOptions {
  return { park: park ?? settings.park, hooks: hooks ? waitedFor(settings.hooks, command) : [] };
}

/** The hook of the end comes when all is written down: killed in it, nothing of the run is unknown. */
async function lastHook(
  { hooks, onInterrupt }: Globals,
  { command, release, image }: Wish,
  context: Context,
  { outcome, error }: Result,
  interrupt: AbortController,
): Promise<void> {
  const name = lastOf(command, outcome);
  if (!hooks || !context.config.settings.hooks[name]) return;
  context.failure = error && { outcome, error };
  onInterrupt(() => interrupt.abort(new Interrupted()));
  const cause = 'the run is over';
  await runLast({ id: `hook:${name}`, do: 'hook', hook: name, release, image, cause }, context);
  onInterrupt(null);
}

/** What tidying changes is looked at again before the plan is made: it may have replaced the instance that serves. */
async function tidyAndExecute(
  { desired }: Wish,
  context: Context,
  options: PlanOptions,
): Promise<{ plan: Plan; result: Result }> {
  const plan = makePlan(desired, context.observed, options);
  if (plan.tidy.length === 0) return { plan, result: await execute(plan, context) };
  try {
    await tidyUp(plan, context);
    context.observed = await observe(context.engine, context.config);
  } catch (error) {
    return { plan, result: { outcome: 'failed', error: toDeployError(error), steps: [] } };
  }
  const next = makePlan(desired, context.observed, options);
  return { plan: { ...next, tidy: plan.tidy }, result: await execute(next, context) };
}

async function dryRun(globals: Globals, config: Config, engine: Engine, decide: Decide): Promise<ExitCode> {
  const observed = await observe(engine, config);
  const wish = await decide(observed, engine, config, await stateFolder(globals.env, config.project));
  const plan = makePlan(wish.desired, observed, planOptions(globals, config, wish));
  globals.print(globals.json ? JSON.stringify({ v: 1, type: 'plan', ...plan }) : describePlan(plan));
  return EXIT.done;
}

function explain(was: NonNullable<Awaited<ReturnType<typeof readInterruption>>>, observed: Observed): string {
  const where = was.step ? `${was.finished ? 'after' : 'in'} step "${was.step}"` : 'before its first step';
  const serves = observed.record?.serving;
  const what =
    serves === was.release
      ? 'its release serves; finishing what it left'
      : `release ${serves} serves; cleaning up`;
  return `the last run (${was.command} of ${was.image}, ${was.at}) was killed ${where}: ${what}`;
}
