import type { State } from '../contract.ts';
import { buildImage } from '../engine/compose.ts';
import { createTwin } from '../engine/twin.ts';
import { DeployError, EXIT } from '../errors.ts';
import { rememberIn } from '../store/remember.ts';
import { allHealthy, confirm, pull, wasStartedAlike } from './boot.ts';
import { createNext, join, seat } from './containers.ts';
import { canary, unweigh, weigh } from './canary.ts';
import { explainRefusal, nameOf, within, type Context, type Next } from './context.ts';
import { drain } from './drain.ts';
import { migrate } from './migrate.ts';
import { fitSchema } from './schema-fit.ts';
import { park } from './park.ts';
import { retire } from './retire.ts';
import { smoke } from './smoke.ts';
import { ownShare, shareOfBoot } from './share.ts';
import { othersAreWell, steady } from './steady.ts';
import { warmUp } from './warm-up.ts';
import { watch } from './watch.ts';
import { replaceWorker } from './workers.ts';
import { PROXY_HANDLERS } from '../proxy/handlers.ts';
import { readRecord } from './observe.ts';
import type { Of, Step } from './plan.ts';

export interface Handler<S> {
  /** Does the step; may return a detail for the report. */
  run: (step: S, context: Context) => Promise<string | void>;
  /** Takes it back, also when `run` failed halfway. Only reversible steps have one; null: nothing to take back. */
  undo: ((step: S, context: Context) => Promise<void>) | null;
}

/**
 * What a release without users has to end by itself. A process that boots has no handler of SIGTERM yet, and as the first of its
 * container it is then not ended by it either.
 */
const UNSERVING_MS = 2000;

/** How each step is done and undone. */
export const HANDLERS: { [Word in Step['do']]: Handler<Of<Word>> } = {
  build: {
    run: async ({ image }, context) => {
      const { config, revision, emit, signal } = context;
      await buildImage(
        config,
        image,
        revision,
        (text) => emit({ type: 'progress', id: 'build', text }),
        signal,
      );
      await fits(image, context);
    },
    undo: null, // an image harms nobody
  },

  pull: {
    run: async (step, context) => {
      await pull(step, context);
      await fits(step.image, context);
    },
    undo: null,
  },

  create: {
    run: createNext,
    undo: async (_step, context) => {
      await each(context, async ({ id }) => {
        await context.sessions.end(id);
        await context.engine.remove(id, 0); // `start` has stopped it
      });
    },
  },

  migrate: { run: migrate, undo: null }, // forward only: the release that serves works on the new schema

  hide: {
    run: hide,
    undo: null, // `create` takes away whichever container is the next
  },

  start: {
    run: async (_step, context) => {
      await unseen(required(context).id, context);
      await each(context, async ({ id, name }) => {
        await context.engine.start(id);
        context.weights.push(shareOfBoot(context, id, true).catch(() => null)); // `steady` waits for it
        void context.sessions.with(id, name); // ready by the time the instance is
      });
    },
    undo: async (_step, context) => {
      const { mayHaveUsers, drainTimeoutMs } = context;
      const ms = mayHaveUsers ? drainTimeoutMs : Math.min(UNSERVING_MS, drainTimeoutMs);
      await each(context, ({ id }) => context.engine.stop(id, ms));
    },
  },

  standby: {
    run: async (step, context) => {
      const { target } = step;
      if (target) context.next = { id: target, name: nameOf(context, target) };
      return await allHealthy(step, context);
    },
    undo: null,
  },

  'warm-up': { run: warmUp, undo: null },

  smoke: { run: smoke, undo: null }, // the preview ends with the container

  steady: { run: steady, undo: null },

  admit: {
    run: async ({ target }, context) => {
      if (target) context.next = { id: target, name: nameOf(context, target) };
      if (target) await ownShare(context, target);
      context.mayHaveUsers = true;
      const session = await context.sessions.with(required(context).id);
      if (target) await wasStartedAlike(context, (await session.ask('state')) as State);
      await within(
        context,
        context.timeoutMs,
        session.ask('admit'),
        () => new Error('admission took too long'),
      );
    },
    undo: async (_step, context) => {
      const { drainTimeoutMs: deadlineMs } = context;
      const session = await context.sessions.with(required(context).id);
      // An instance that died holds no port; one that still lives leaves it, and answers what it had accepted.
      await session.ask('park', { deadlineMs }, deadlineMs + 5000).catch(() => {});
    },
  },

  route: {
    run: async ({ releases }, context) => {
      context.mayHaveUsers = true;
      await context.route?.lead(releases);
    },
    undo: async ({ before }, { route: way, drainTimeoutMs }) => {
      await way?.lead(before);
      await way?.left(drainTimeoutMs); // its first users get their answers
    },
  },

  confirm: {
    run: confirm,
    undo: async ({ loosen }, context) => {
      for (const id of loosen) {
        const session = await context.sessions.with(id).catch(() => null);
        await session?.ask('loosen', { on: false }).catch(() => {});
      }
    },
  },

  promote: {
    run: promote,
    undo: null, // from here on there is only forward
  },

  join: { run: join, undo: null },

  drain: { run: drain, undo: null },

  remember: {
    run: async (step, { config }) => await rememberIn(config, step),
    undo: null,
  },

  seat: { run: seat, undo: null },

  park: { run: park, undo: null },

  worker: { run: replaceWorker, undo: null },

  weigh: { run: weigh, undo: unweigh },

  canary: { run: canary, undo: null },

  watch: { run: watch, undo: null },

  ...PROXY_HANDLERS,

  retire: { run: retire, undo: null },

  hook: {
    run: async (step, context) => await (await import('./hooks.ts')).hook(step, context), // most projects have none
    undo: null, // what a hook has done is the operator's
  },
};

/** Does the same to each instance of the next release. */
async function each({ next, others }: Context, work: (one: Next) => Promise<unknown>): Promise<void> {
  if (next) await Promise.all([next, ...others].map(work));
}

/**
 * An image without a control command listens as soon as it boots, and has the service's name too: the proxy, which goes there when
 * nobody on its list is found, shall not find this one. The next list that is led to has no such line.
 */
async function unseen(id: string, { config, route, others }: Context): Promise<void> {
  if (!config.settings.ctl) await route?.withhold([id, ...others.map((one) => one.id)]);
}

/** What an image needs of the database is known when it is here. */
async function fits(image: string, { engine, observed, emit }: Context): Promise<void> {
  const ahead = await fitSchema(engine, observed, { desired: { kind: 'deploy' }, image });
  if (ahead) emit({ type: 'notice', level: 'warn', text: ahead });
}

/** Puts a twin that Compose does not see in the place of the container that Compose has made; neither runs yet. */
async function hide({ release, token }: Of<'hide'>, context: Context): Promise<void> {
  const { engine, config } = context;
  const made = required(context);
  const info = await engine.inspect(made.id);
  if (!info) throw new Error(`the container of ${release} is gone`);
  const name = `${config.project}-${config.settings.service}-held-${release}`;
  context.next = { id: await createTwin(engine, info, name, release, { held: token }), name };
  await engine.remove(made.id, 0);
}

/** The pivot. When its answer is lost, the record tells whether it happened. */
async function promote({ release }: Of<'promote'>, context: Context): Promise<void> {
  const session = await context.sessions.with(required(context).id);
  await othersAreWell(context); // here it can still be undone
  context.baseline.end();
  try {
    await session.ask('promote');
  } catch (error) {
    const record = await readRecord(context.engine, context.observed.pod?.id ?? '').catch(() => {
      throw new DeployError({
        code: 'PIVOT_UNKNOWN',
        exit: EXIT.incomplete,
        what: `no answer to the switch, and the record cannot be read: ${(error as Error).message}`,
        subject: release,
        next: 'deploy status   shows which release serves; then deploy again',
      });
    });
    if (record?.serving !== release) throw await explainRefusal(context, error, release);
  }
}

function required(context: Context): { id: string; name: string } {
  if (!context.next) throw new Error('no container has been made yet');
  return context.next;
}
