import type { Figures, State } from '../contract.ts';
import { formatDuration } from '../duration.ts';
import type { Instance } from '../engine/instance.ts';
import { INITIAL_RELEASE } from '../contract.ts';
import { RefusedError } from '../engine/session.ts';
import { explainRefusal, failedRelease, nameOf, type Context } from './context.ts';
import type { Sessions } from './sessions.ts';
import { Judge, median, since, sumOf } from './judge.ts';
import type { Of } from './plan.ts';

const EVERY_MS = 250;
/** A shorter time says nothing about requests per second. */
const LEAST_MS = 40;

interface Look {
  figures: Figures;
  /** By `performance.now()`. */
  at: number;
}

/** How the old release did: over its whole time, and between the start of the run and its end on the port. */
export class Baseline {
  readonly #sessions: Sessions;
  readonly #ids: string[];
  readonly #begin: Promise<Look | null>;
  #end: Promise<Look | null> = Promise.resolve(null);

  /** Looks at once, and does not make the caller wait. */
  constructor(sessions: Sessions, old: Instance[]) {
    this.#sessions = sessions;
    this.#ids = old.map(({ id }) => id);
    this.#begin = this.#look();
  }

  /** The last look, before the old release leaves the port. */
  end(): void {
    this.#end = this.#look();
  }

  /** Null when there was no old release, or one that does not count. */
  async read(): Promise<{ errors: Figures; pace: Figures } | null> {
    const [begin, end] = await Promise.all([this.#begin, this.#end]);
    return begin && end && { errors: end.figures, pace: since(begin.figures, end.figures) };
  }

  /**
   * Answers per second since the run began. Null when there is no old release, or one that does not count, and when that cannot
   * be told: too soon, or a child was replaced meanwhile and has taken its figures along.
   */
  async perSecond(): Promise<number | null> {
    const [begin, now] = await Promise.all([this.#begin, this.#look()]);
    if (!begin || !now) return null;
    const [answers, ms] = [now.figures.answered - begin.figures.answered, now.at - begin.at];
    return answers < 0 || ms < LEAST_MS ? null : (answers / ms) * 1000;
  }

  async #look(): Promise<Look | null> {
    if (!this.#ids.length) return null;
    const figures = await figuresOf(this.#sessions, this.#ids).catch(() => null);
    return figures && { figures, at: performance.now() };
  }
}

async function figuresOf(sessions: Sessions, ids: string[]): Promise<Figures> {
  const ask = async (id: string): Promise<unknown> => await (await sessions.with(id)).ask('figures');
  return sumOf((await Promise.all(ids.map(ask))) as Figures[]);
}

/** Watches the release that now serves, for a time; throws when it does worse than the one before. Ctrl-C ends it. */
export async function watch({ release, ms }: Of<'watch'>, context: Context): Promise<string> {
  const { sessions, signal } = context;
  const seats = await seatsOf(release, context);
  const [one] = seats;
  if (!one) throw new Error(`no container of ${release} runs`);
  context.next = { id: one.id, name: one.name };
  const ids = seats.map(({ id }) => id);
  const old = await context.baseline.read();
  const begin = await figuresOf(sessions, ids).catch((error: unknown) => {
    if (error instanceof RefusedError && error.code === 'UNKNOWN_COMMAND') return null;
    throw error;
  });
  if (!begin) return 'left out: the image counts nothing (docs/contract.md)';
  const [{ restarts }] = await look(context, ids);
  const until = performance.now() + ms;
  const judge = new Judge(performance.now());
  let seen = since(begin, begin);
  while (performance.now() < until && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(EVERY_MS, until - performance.now())));
    const [state, figures] = await look(context, ids);
    seen = since(begin, figures);
    const worse = old ? judge.look(seen, old, performance.now()) : [];
    if (state.restarts > restarts)
      worse.push(`${state.restarts - restarts} of its processes ended by themselves`);
    if (worse.length) throw await worseThanBefore(worse, context);
  }
  const early = signal.aborted
    ? `, ended early after ${formatDuration(ms - (until - performance.now()))}`
    : '';
  const pace = `half within ${inMs(seen)}, before ${old ? inMs(old.pace) : 'not known'}`;
  return `${seen.answered} answers, ${seen.errors} errors; ${pace}${early}`;
}

/** The median for people. */
export function inMs(figures: Figures): string {
  const ms = median(figures);
  return ms === null ? 'no answers' : `${ms.toFixed(1)} ms`;
}

/** Of all instances of a release. */
export interface Standing {
  /** Processes that have ended by themselves. */
  restarts: number;
  /** Serving, when all of them do. */
  phase: State['phase'];
}

/** How the instances of a release stand, and what they answered together. */
export async function look(context: Context, ids: string[]): Promise<[Standing, Figures]> {
  const all = await Promise.all(ids.map((id) => lookAt(id, context)));
  const states = all.map(([state]) => state);
  const restarts = states.reduce((sum, state) => sum + state.restarts, 0);
  const phase = states.find((state) => state.phase !== 'serving')?.phase ?? 'serving';
  return [{ restarts, phase }, sumOf(all.map(([, figures]) => figures))];
}

async function lookAt(id: string, context: Context): Promise<[State, Figures]> {
  try {
    const session = await context.sessions.with(id);
    const [state, figures] = await Promise.all([session.ask('state'), session.ask('figures')]);
    return [state as State, figures as Figures];
  } catch (error) {
    const next = context.next?.id === id ? context.next : { id, name: nameOf(context, id) };
    throw await explainRefusal({ ...context, next }, error, next.name);
  }
}

/** The containers of the release that Compose sees: after `admit` of a held one they are others than were looked at before. */
async function seatsOf(release: string, { engine, config }: Context): Promise<Instance[]> {
  const all = await engine.instances(config.project, config.settings.service, INITIAL_RELEASE);
  return all.filter((one) => one.running && one.visible && one.release === release);
}

async function worseThanBefore(worse: string[], context: Context): Promise<Error> {
  return await failedRelease(context, {
    code: 'WORSE',
    what: `the new release does worse than the old one: ${worse.join('; ')}`,
    next: 'correct the release; --watch 0s would have left it in service',
  });
}
