import { INITIAL_RELEASE } from '../contract.ts';
import { createContainer } from '../engine/compose.ts';
import type { Instance } from '../engine/instance.ts';
import { DeployError } from '../errors.ts';
import { formatDuration } from '../duration.ts';
import type { Context } from './context.ts';
import { withLastWords } from './evidence.ts';
import type { Of } from './plan.ts';

const LOOK_EVERY_MS = 200;

/**
 * Puts a service that takes jobs on the release that serves: first a container of it takes jobs, then the others finish
 * theirs or hand them back. Done again it does nothing twice. Any image will do: its HEALTHCHECK is asked, where it has one.
 */
export async function replaceWorker(
  { service, release, image }: Of<'worker'>,
  context: Context,
): Promise<string | void> {
  const { engine, config } = context;
  const look = async (): Promise<Instance[]> => {
    const all = await engine.instances(config.project, service, INITIAL_RELEASE);
    return all.filter(({ visible }) => visible);
  };
  const before = await look();
  if (before.length === 0) return `left out: ${service} has no container`;
  const current = (all: Instance[]): Instance | undefined => all.findLast((one) => one.release === release);
  const isNew = !current(before);
  if (isNew) await createContainer(config, { service, release, image, scale: before.length + 1 });
  const next = current(await look());
  if (!next) throw new Error(`Compose made no container of ${service} for release ${release}`);
  if (!next.running) await engine.start(next.id);
  try {
    await untilWell(next, context);
  } catch (error) {
    const failure = await withLastWords(error, engine, next);
    if (isNew) await engine.remove(next.id, next.stopTimeout); // it gives back what it has taken
    throw failure;
  }
  const others = (await look()).filter(({ id }) => id !== next.id);
  await Promise.all(others.map(({ id, stopTimeout }) => engine.remove(id, stopTimeout)));
  return `${next.name} in place of ${others.map(({ name }) => name).join(', ') || 'none'}`;
}

/** Waits until the engine calls it healthy, or, where it does not ask, until it has lived for the settling time. */
async function untilWell({ id, name }: Instance, { engine, config, timeoutMs }: Context): Promise<void> {
  const since = performance.now();
  let before: number | undefined;
  for (;;) {
    const info = await engine.inspect(id);
    const state = info?.State;
    const lived = performance.now() - since;
    // To the engine, one that it starts again and again runs.
    before ??= info?.RestartCount;
    if (info && before !== undefined && info.RestartCount > before)
      throw unwell(`${name} ends by itself and is started again and again`, name);
    if (!state?.Running) throw unwell(`${name} ended by itself (exit code ${state?.ExitCode})`, name);
    if (state.Health ? state.Health.Status === 'healthy' : lived > config.settings.settle) return;
    if (lived > timeoutMs) throw unwell(`${name} was not healthy in time`, name, formatDuration(timeoutMs));
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function unwell(what: string, subject: string, limit?: string): DeployError {
  return new DeployError({
    code: 'WORKER_FAILED',
    what: `the release serves, and its worker does not work: ${what}; the one before goes on`,
    subject,
    ...(limit && { limit }),
    next: 'correct the release and deploy again, or go back: deploy rollback',
  });
}
