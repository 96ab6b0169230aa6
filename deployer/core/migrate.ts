import { imageFacts } from '../engine/image-facts.ts';
import { createTwin } from '../engine/twin.ts';
import { DeployError } from '../errors.ts';
import { formatDuration } from '../duration.ts';
import { within, type Context } from './context.ts';
import { lastWords } from './evidence.ts';
import { servingInstances } from './observe.ts';
import type { Of } from './plan.ts';

const LOOK_EVERY_MS = 1000;
/** For a migration that is told to stop: it may be in the middle of a statement. */
const STOP_SECONDS = 10;

/** Runs the image's own command in a container of its own, unless the release that serves knows the schema already. */
export async function migrate({ release, image, command }: Of<'migrate'>, context: Context): Promise<string> {
  const { engine, config, next, emit } = context;
  const known = await schemaOfServing(context);
  const { schema } = (await imageFacts(engine, image)) ?? { schema: null };
  if (schema === null) return 'left out: the image says nothing of its schema (label tasuki.schema)';
  if (known !== null && schema <= known) return `left out: the release that serves knows schema ${known}`;
  const made = next && (await engine.inspect(next.id));
  if (!made) throw new Error(`the container of ${release} is gone`);
  const name = `${config.project}-${config.settings.service}-migrate-${release}`;
  const id = await createTwin(engine, made, name, release, { command });
  const told = setInterval(() => {
    void engine.lastLines(id, 1).then(([text]) => text && emit({ type: 'progress', id: 'migrate', text }));
  }, LOOK_EVERY_MS);
  try {
    await engine.start(id);
    const ms = config.settings['migrate-timeout'];
    const code = await within(context, ms, engine.ended(id), () =>
      failed(`did not end in time`, formatDuration(ms)),
    );
    if (code !== 0) throw failed(`ended with exit code ${code}`);
    return `schema ${known ?? '?'} to ${schema}`;
  } catch (error) {
    if (error instanceof DeployError) error.details.evidence = await lastWords(engine, { id, name });
    throw error;
  } finally {
    clearInterval(told);
    await engine.remove(id, STOP_SECONDS);
  }

  function failed(how: string, limit?: string): DeployError {
    return new DeployError({
      code: 'MIGRATION_FAILED',
      what: `the migration of the new release ${how}`,
      subject: `${image} ${command.join(' ')}`,
      ...(limit && { limit }),
      next: 'correct the migration and deploy again; what it has done stays, and the release that serves works on it',
    });
  }
}

async function schemaOfServing({ engine, observed }: Context): Promise<number | null> {
  const one = servingInstances(observed).at(-1);
  return one ? ((await imageFacts(engine, one.imageId))?.schema ?? null) : null;
}
