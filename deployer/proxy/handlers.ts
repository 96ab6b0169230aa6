import type { Handler } from '../core/steps.ts';
import { pull } from '../core/boot.ts';
import type { Context } from '../core/context.ts';
import { setInEnvFile } from '../store/env-file.ts';
import { scaleUp } from '../engine/compose.ts';
import { confirm } from './confirm.ts';
import { hasLeft, leaves, requireAnother, retire, tellToLeave } from './leave.ts';
import type { ProxyStep } from './plan.ts';
import { rehearse, test } from './rehearse.ts';

type Of<Word extends ProxyStep['do']> = Extract<ProxyStep, { do: Word }>;

/** How each step of a handover of the proxy is done and undone. */
export const PROXY_HANDLERS: { [Word in ProxyStep['do']]: Handler<Of<Word>> } = {
  'proxy-pull': {
    run: async ({ id, cause, image }, context) => pull({ id, cause, image, do: 'pull' }, context),
    undo: null,
  },

  'proxy-create': {
    run: create,
    undo: async (_step, context) => {
      const { engine, next } = context;
      if (!next) return;
      const isUp = (await engine.inspect(next.id))?.State.Running; // `proxy-start` ends it, unless it is the last
      if (isUp) await requireAnother(context, next);
      await engine.remove(next.id, 0);
    },
  },

  'proxy-test': { run: test, undo: null },

  'proxy-rehearse': { run: rehearse, undo: null },

  'proxy-start': {
    run: async (_step, { engine, next }) => {
      if (next) await engine.start(next.id);
    },
    undo: async (_step, context) => {
      const { next } = context;
      if (!next) return;
      const info = await context.engine.inspect(next.id);
      if (!info || info.RestartCount > 0) return; // it holds no port for long; `proxy-create` ends it
      await requireAnother(context, next); // a lost answer at the pivot: the old one may have left all the same
      await tellToLeave(context, next.id); // it may have taken connections
      await leaves(context, next);
    },
  },

  'proxy-confirm': {
    run: async (_step, context) => {
      if (!context.next) throw new Error('no proxy has been made yet');
      return await confirm(context, context.next);
    },
    undo: null,
  },

  'proxy-leave': {
    run: async ({ targets }, context) => {
      for (const id of targets)
        await tellToLeave(context, id).catch((error: unknown) => hasLeft(context, id, error));
    },
    undo: null,
  },

  'proxy-remember': {
    run: async ({ image }, { config }) => {
      const { variable } = config.proxy ?? {};
      if (variable) await setInEnvFile(config.envFile, { [variable]: image });
    },
    undo: null,
  },

  'proxy-retire': { run: retire, undo: null },
};

/** Lets Compose create the next container, and finds it. */
async function create({ image, scale }: Of<'proxy-create'>, context: Context): Promise<void> {
  const { engine, config, signal } = context;
  const { project, settings, proxy } = config;
  const of = async () => (await engine.instances(project, settings.proxy, '')).filter((one) => one.visible);
  const before = await of();
  const variables = proxy?.variable ? { [proxy.variable]: image } : {};
  try {
    await scaleUp(config, { service: settings.proxy, scale }, variables, signal);
  } finally {
    // Also after a failure: what was made must be undone.
    const made = (await of()).find(({ id }) => !before.some((one) => one.id === id));
    context.next = made ? { id: made.id, name: made.name, imageId: made.imageId } : null;
  }
  if (!context.next) throw new Error('Compose made no further container of the proxy');
}
