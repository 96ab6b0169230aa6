import { INITIAL_RELEASE } from '../contract.ts';
import { createContainer } from '../engine/compose.ts';
import type { Context, Next } from './context.ts';
import { about } from './evidence.ts';
import type { Of } from './plan.ts';

/** Between two tries to speak with an instance that is being started again. */
const AGAIN_MS = 250;

/** Lets Compose create the containers of the next release, and finds them. */
export async function createNext(
  { release, image, count, scale }: Of<'create'>,
  context: Context,
): Promise<void> {
  const { config, signal } = context;
  try {
    await createContainer(config, { release, image, scale }, signal);
  } finally {
    // Also after a failure: what was made must be undone.
    const [next, ...others] = await containersOf(release, context);
    Object.assign(context, { next: next ?? null, others });
  }
  const made = context.next ? 1 + context.others.length : 0;
  if (made < count) throw new Error(`Compose made ${made} of ${count} containers for release ${release}`);
}

/** Those that Compose sees. */
async function containersOf(release: string, { engine, config }: Context): Promise<Next[]> {
  const all = await engine.instances(config.project, config.settings.service, INITIAL_RELEASE);
  return all
    .filter((one) => one.release === release && one.visible)
    .map(({ id, name, imageId }) => ({ id, name, imageId }));
}

/** Starts containers of the release that serves where Compose sees them; they join the others on the port by themselves. */
export async function seat({ release, image, scale }: Of<'seat'>, context: Context): Promise<void> {
  const { engine, config, observed, route } = context;
  await createContainer(config, { release, image, scale });
  const all = await containersOf(release, context);
  const made = all.filter(({ id }) => !observed.instances.some((one) => one.id === id));
  await route?.withhold(made.map(({ id }) => id)); // it has the name of its release as soon as it is started
  await Promise.all(made.map((one) => engine.start(one.id).then(() => serves(one, context))));
  await route?.lead(await route.read());
}

/** Waits for those that follow the record. */
export async function join(_step: Of<'join'>, context: Context): Promise<string> {
  await Promise.all(context.others.map((one) => serves(one, context)));
  return `${context.others.length + 1} of them serve`;
}

/** One that ends by itself meanwhile is started again by the engine, and has the rest of the time. */
async function serves(one: Next, { engine, sessions, timeoutMs }: Context): Promise<void> {
  const until = performance.now() + timeoutMs;
  await about(engine, one, async () => {
    for (;;) {
      try {
        const session = await sessions.anew(one.id);
        await session.until((state) => state.phase === 'serving', until - performance.now());
        return;
      } catch (error) {
        if (performance.now() >= until) throw error;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  });
}
