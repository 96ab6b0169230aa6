import { userInfo, hostname } from 'node:os';
import { loadConfig, type Config, type ProjectOptions } from './config.ts';
import { Sessions, type Context } from './core/context.ts';
import { describePlan } from './core/describe.ts';
import { execute, tidyUp, type Result } from './core/execute.ts';
import { observe, requirePod, servingInstances, type Observed } from './core/observe.ts';
import { previewLink } from './core/preview.ts';
import { makePlan, type Desired, type PlanOptions } from './core/plan.ts';
import { goBack } from './core/go-back.ts';
import { Baseline } from './core/watch.ts';
import { pruneAfter } from './core/prune-images.ts';
import { measureRoom, requireRoom } from './core/room.ts';
import { Engine } from './engine/docker.ts';
import { EXIT, Interrupted, toDeployError, type ExitCode } from './errors.ts';
import { tee, type Emit, type Outcome } from './events.ts';
import { Probe } from './probe.ts';
import { appendHistory } from './store/history.ts';
import { Journal, readInterruption } from './store/journal.ts';
import { Lock } from './store/lock.ts';
import { stateFolder } from './store/paths.ts';

/** What every command gets from the command line. */
export interface Globals extends ProjectOptions {
  timeoutMs?: number | undefined;
  drainTimeoutMs?: number | undefined;
  park?: boolean | undefined;
  watchMs?: number | undefined;
  /** Shares in percent before all, and how long each. */
  canary?: { percents: number[]; ms: number } | undefined;
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
  const measuring = measureRoom(engine); // beside the lock and the snapshot
  const pod = await requirePod(engine, config);
  const folder = await stateFolder(globals.env, config.project);
  return await underLock(globals, { engine, config, pod, command }, async () => {
    const [observed, interruption] = await Promise.all([observe(engine, config), readInterruption(folder)]);
    const wish = await decide(observed, engine, config, folder);
    if (interruption) inform(globals, explain(interruption, observed));
    await requireRoom(engine, config, observed, wish.desired, { ...planOptions(globals, config), measuring });
    return await perform({ globals, config, engine, observed, folder, wish, start, url: pod.url });
  });
}

/** Does `work` while no other command changes the project; a dead owner's lock is taken over. */
export async function underLock<T>(
  globals: Globals,
  of: { engine: Engine; config: Config; pod: { imageId: string }; command: string },
  work: () => Promise<T>,
): Promise<T> {
  const lock = await Lock.take(of.engine, of.config.project, of.pod.imageId, of.command, (owner) => {
    const who = owner ? `${owner.user}@${owner.host} (pid ${owner.pid}), which is gone` : 'a dead deploy';
    inform(globals, `took over the lock of ${who}`);
  });
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

function inform({ emit }: Globals, text: string): void {
  emit({ type: 'notice', level: 'info', text });
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
  const options = planOptions(globals, config);
  const journal = await Journal.begin(folder);
  let switched = false;
  const watchSwitch: Emit = (event) => {
    if (event.type === 'step' && event.id === 'promote') switched = event.status !== 'failed';
  };
  // The journal first: nobody is told what it does not hold.
  const emit = tee((event) => journal.write(event), watchSwitch, globals.emit);
  const interrupt = new AbortController();
  const probe = new Probe(new URL(settings.probe, url));
  const sessions = new Sessions(engine, settings.ctl);
  const context: Context = {
    config,
    engine,
    observed,
    probe,
    url,
    sessions,
    baseline: new Baseline(sessions, servingInstances(observed)),
    emit,
    signal: interrupt.signal,
    timeoutMs: globals.timeoutMs ?? settings.timeout,
    drainTimeoutMs: globals.drainTimeoutMs ?? settings['drain-timeout'],
    revision: wish.revision ?? '',
    next: null,
  };
  const { release, image } = wish;
  emit({ type: 'begin', command: wish.command, project: config.project, release, image, from });
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

  const { outcome, error, steps } = await carryOut(wish, context, options, from);
  await sessions.endAll();
  const count = await probe.stop();
  const exit = error?.exit ?? EXIT.done;
  const ms = (): number => Math.round(performance.now() - start);
  if (error) {
    const serving = outcome === 'incomplete' ? null : from;
    emit({ type: 'error', error: error.details, serving });
  }
  const before = observed.instances.find((one) => one.release === from);
  await appendHistory(folder, {
    version: 1,
    at: new Date().toISOString(),
    command: wish.command,
    release,
    image,
    // What is parked may have lost its tag to another image.
    imageId: wish.desired.kind === 'rollback' ? wish.desired.to.imageId : await engine.imageId(image),
    by: `${userInfo().username}@${hostname()}`,
    from,
    fromImage: before?.image ?? null,
    fromImageId: before?.imageId ?? null,
    outcome,
    ms: ms(),
    servingMs,
    steps,
    probe: count,
    error: error?.details.what ?? null,
  });
  if (outcome === 'held' && wish.desired.kind === 'deploy') {
    const { token } = wish.desired;
    emit({ type: 'held', release, link: previewLink(url, token), token });
  }
  if (outcome === 'done' && wish.desired.kind !== 'rollback')
    await pruneAfter({ engine, config, folder }, emit, interrupt.signal);
  globals.onInterrupt(null);
  emit({ type: 'end', outcome, exit, release, image, ms: ms(), probe: count });
  journal.close();
  return exit;
}

/** All of it, the way back too, and what it came to for users. */
async function carryOut(
  wish: Wish,
  context: Context,
  options: PlanOptions,
  from: string | null,
): Promise<Omit<Result, 'outcome'> & { outcome: Outcome }> {
  const result = await tidyAndExecute(wish, context, options);
  if (result.outcome === 'worse') return await goBack(result, context, from);
  return { ...result, outcome: result.outcome === 'done' ? achieved(wish.desired) : result.outcome };
}

/** What it means for users that all steps are done. */
function achieved(desired: Desired): 'done' | 'held' | 'aborted' {
  if (desired.kind === 'abort') return 'aborted';
  return desired.kind === 'deploy' && desired.hold ? 'held' : 'done';
}

/** What tidying changes is looked at again before the plan is made: it may have replaced the instance that serves. */
async function tidyAndExecute({ desired }: Wish, context: Context, options: PlanOptions): Promise<Result> {
  const plan = makePlan(desired, context.observed, options);
  if (plan.tidy.length === 0) return await execute(plan, context);
  try {
    await tidyUp(plan, context);
    context.observed = await observe(context.engine, context.config);
  } catch (error) {
    return { outcome: 'failed', error: toDeployError(error), steps: [] };
  }
  return await execute(makePlan(desired, context.observed, options), context);
}

function planOptions(globals: Globals, { settings }: Config): PlanOptions {
  const { park = settings.park, watchMs = settings.watch, canary = null } = globals;
  return { park, watchMs, canary };
}

async function dryRun(globals: Globals, config: Config, engine: Engine, decide: Decide): Promise<ExitCode> {
  const measuring = measureRoom(engine);
  const observed = await observe(engine, config);
  const { desired } = await decide(observed, engine, config, await stateFolder(globals.env, config.project));
  const options = planOptions(globals, config);
  const plan = makePlan(desired, observed, options);
  await requireRoom(engine, config, observed, desired, { ...options, measuring }).catch((error: unknown) => {
    const { what, limit } = toDeployError(error).details;
    globals.emit({ type: 'notice', level: 'warn', text: `would be refused: ${what}; limit: ${limit}` });
  });
  globals.print(globals.json ? JSON.stringify({ v: 1, type: 'plan', ...plan }) : describePlan(plan));
  return EXIT.done;
}

/** What a killed run had reached, and what is done about it now. */
export function explain(
  was: NonNullable<Awaited<ReturnType<typeof readInterruption>>>,
  observed: Observed,
): string {
  const where = was.step ? `${was.finished ? 'after' : 'in'} step "${was.step}"` : 'before its first step';
  const serves = observed.record?.serving;
  const what =
    serves === was.release
      ? 'its release serves; finishing what it left'
      : `release ${serves} serves; cleaning up`;
  return `the last run (${was.command} of ${was.image}, ${was.at}) was killed ${where}: ${what}`;
}
