import { loadConfig, type Config, type ProjectOptions } from './config.ts';
import { describePlan } from './core/describe.ts';
import { observe, requirePod, type Observed } from './core/observe.ts';
import { makePlan, type Desired, type PlanOptions } from './core/plan.ts';
import type { Room } from './core/headroom.ts';
import { measureRoom, requireRoom } from './core/room.ts';
import { scaleNow } from './core/tidy.ts';
import { fitSchema } from './core/schema-fit.ts';
import { Engine } from './engine/docker.ts';
import { EXIT, toDeployError, type ExitCode } from './errors.ts';
import type { Emit } from './events.ts';
import { waitedFor } from './hooks/schema.ts';
import { readInterruption } from './store/journal.ts';
import { Lock } from './store/lock.ts';
import { stateFolder } from './store/paths.ts';
import { requireShares } from './strategy.ts';

/** What every command gets from the command line. */
export interface Globals extends ProjectOptions {
  timeoutMs?: number | undefined;
  drainTimeoutMs?: number | undefined;
  park?: boolean | undefined;
  keepMs?: number | undefined;
  watchMs?: number | undefined;
  /** `--for` of the commands that take a time. */
  forMs?: number | undefined;
  /** Shares in percent before all, and how long each. */
  canary?: { percents: number[]; ms: number } | undefined;
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
  /** Containers of the release; default: as many as the one before. */
  scale?: number | undefined;
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
export async function change(
  globals: Globals,
  command: string,
  decide: Decide,
  engine = new Engine(),
): Promise<ExitCode> {
  const start = performance.now();
  const measuring = measureRoom(engine); // beside all that follows
  const config = await loadConfig(globals);
  if (globals.canary) requireShares(config, '--canary');
  if (globals.dryRun) return await dryRun(globals, config, { engine, measuring }, decide);
  const finding = requirePod(engine, config);
  const performing = import('./perform.ts'); // loads while the engine answers
  const pod = await finding;
  const folder = await stateFolder(globals.env, config.project);
  return await underLock(globals, { engine, config, pod, command }, async () => {
    const [observed, interruption] = await Promise.all([observe(engine, config), readInterruption(folder)]);
    const wish = await decide(observed, engine, config, folder);
    if (interruption) inform(globals, explain(interruption, observed));
    const options = planOptions(globals, config, observed, wish);
    const [, ahead] = await Promise.all([
      requireRoom(engine, config, observed, wish.desired, { ...options, measuring }),
      fitSchema(engine, observed, wish),
    ]);
    if (ahead) globals.emit({ type: 'notice', level: 'warn', text: ahead });
    const { perform } = await performing;
    return await perform({ globals, config, engine, observed, folder, wish, options, start, url: pod.url });
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

function planOptions(
  globals: Globals,
  { settings, scale }: Config,
  observed: Observed,
  { command, scale: asked }: Wish,
): PlanOptions {
  const now = scaleNow(observed, scale);
  const { park = settings.park, watchMs = settings.watch, canary = null } = globals;
  const keep = globals.keepMs ?? settings.keep;
  const { 'warm-up': warmUp } = settings;
  // While it is watched there must be something to go back to.
  const keepMs = keep === undefined ? null : Math.max(keep, watchMs);
  return {
    park,
    keepMs,
    watchMs,
    canary,
    hooks: globals.hooks ? waitedFor(settings.hooks, command) : [],
    warmUp: warmUp ? { paths: warmUp.paths, ms: warmUp.for } : null,
    migrate: settings.migrate ?? null,
    route: observed.route,
    scale: { now, next: asked ?? now },
    workers: settings.workers,
  };
}

async function dryRun(
  globals: Globals,
  config: Config,
  { engine, measuring }: { engine: Engine; measuring: Promise<Room | null> },
  decide: Decide,
): Promise<ExitCode> {
  const observed = await observe(engine, config);
  const wish = await decide(observed, engine, config, await stateFolder(globals.env, config.project));
  const { desired } = wish;
  const options = planOptions(globals, config, observed, wish);
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
