import type { Config } from './config.ts';
import { Account } from './core/account.ts';
import { carryOut, type Ended } from './core/carry-out.ts';
import type { Context } from './core/context.ts';
import { runLast } from './core/execute.ts';
import { makeContext } from './core/make-context.ts';
import { servingInstances, type Observed } from './core/observe.ts';
import type { PlanOptions } from './core/plan.ts';
import { previewLink } from './core/preview.ts';
import { pruneAfter } from './core/prune-images.ts';
import type { Engine } from './engine/docker.ts';
import { EXIT, Interrupted, type ExitCode } from './errors.ts';
import { tee, type Emit } from './events.ts';
import { lastOf } from './hooks/schema.ts';
import type { Globals, Wish } from './run.ts';
import { Journal } from './store/journal.ts';

/** All that a run under the lock starts from. */
export interface Performance {
  globals: Globals;
  config: Config;
  engine: Engine;
  observed: Observed;
  /** Where journal, history and reports are. */
  folder: string;
  wish: Wish;
  options: PlanOptions;
  /** When the command began, by `performance.now()`. */
  start: number;
  /** Where users reach the proxy. */
  url: URL;
}

/** One run with all that goes along: journal, probe, Ctrl-C, report, prune, last hook. Returns the exit code. */
export async function perform(performance: Performance): Promise<ExitCode> {
  const { globals, config, engine, observed, folder, wish, options, url } = performance;
  const { command, release, image, desired } = wish;
  const isProxy = desired.kind === 'proxy';
  // Of the proxy there is an image, and no release.
  const from = isProxy ? null : (observed.record?.serving ?? null);
  const journal = Journal.begin(folder);
  const account = new Account();
  let switched = false;
  const watchSwitch: Emit = (event) => {
    if (event.type === 'step' && (event.id === 'promote' || event.id === 'leave'))
      switched = event.status !== 'failed';
  };
  // The journal first: nobody is told what it does not hold.
  const emit = tee((event) => journal.write(event), watchSwitch, account.note, globals.emit);
  const interrupt = new AbortController();
  const compared = isProxy ? [] : servingInstances(observed);
  const state = { config, engine, observed, url, compared, revision: wish.revision ?? '' };
  const context = makeContext(globals, state, emit, interrupt.signal);
  emit({ type: 'begin', command, project: config.project, release, image, from });
  const since = (): number => Math.round(globalThis.performance.now() - performance.start);
  let servingMs: number | null = null;
  context.probe.start((answered) => {
    if (servingMs !== null || answered !== release) return;
    servingMs = since();
    emit({ type: 'serving', release, ms: servingMs });
  });
  globals.onInterrupt(() => {
    const what = switched ? 'the switch is made, so this run finishes' : 'interrupted: undoing';
    emit({ type: 'notice', level: 'warn', text: `${what} (again: stop at once and leave it as it is)` });
    interrupt.abort(new Interrupted());
  });

  const { plan, result } = await carryOut(desired, context, options, from);
  await context.sessions.endAll();
  const probe = await context.probe.stop();
  const { outcome, error } = result;
  const exit = error?.exit ?? EXIT.done;
  const ms = since();
  if (error) emit({ type: 'error', error: error.details, serving: outcome === 'incomplete' ? null : from });
  const report = await account.write(folder, context, { ...wish, from, plan, result, ms, servingMs, probe });
  if (outcome === 'held' && desired.kind === 'deploy')
    emit({ type: 'held', release, link: previewLink(url, desired.token), token: desired.token });
  if (outcome === 'done' && desired.kind !== 'rollback' && !isProxy)
    await pruneAfter({ engine, config, folder }, emit, interrupt.signal);
  globals.onInterrupt(null);
  await lastHook(globals, wish, context, result, interrupt);
  emit({ type: 'end', command, outcome, exit, release, image, ms: since(), probe, report });
  journal.close();
  return exit;
}

/** The hook of the end comes when all is written down: killed in it, nothing of the run is unknown. */
async function lastHook(
  { hooks, onInterrupt }: Globals,
  { command, release, image }: Wish,
  context: Context,
  { outcome, error }: Ended,
  interrupt: AbortController,
): Promise<void> {
  const name = lastOf(command, outcome);
  if (!hooks || !name || !context.config.settings.hooks[name]) return;
  context.failure = error && { outcome, error };
  onInterrupt(() => interrupt.abort(new Interrupted()));
  const cause = 'the run is over';
  await runLast({ id: `hook:${name}`, do: 'hook', hook: name, release, image, cause }, context);
  onInterrupt(null);
}
