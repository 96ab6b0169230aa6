import type { Engine } from '../engine/docker.ts';
import { imageFacts, type ImageFacts } from '../engine/image-facts.ts';
import { DeployError, EXIT } from '../errors.ts';
import { servingInstances, type Observed } from './observe.ts';
import type { Desired } from './plan.ts';

type Schema = Pick<ImageFacts, 'schema' | 'schemaNeeds'>;

/**
 * Whether a release can serve beside, and after, the one that serves, on one database: neither may need a newer release than
 * the other is. Gives a warning for a database that is ahead of the release, which migrations that only go forward allow.
 * Throws SCHEMA_BREAKS. An image that says nothing of its schema is left alone.
 */
export function judgeSchemas(
  next: Schema,
  serving: Schema,
  names: { next: string; serving: string },
): string | null {
  if (next.schema === null || serving.schema === null) return null;
  if (next.schemaNeeds > serving.schema)
    throw breaks(
      names.serving,
      serving.schema,
      names.next,
      next.schemaNeeds,
      'deploy a release in between first',
    );
  if (serving.schemaNeeds > next.schema)
    throw breaks(names.next, next.schema, names.serving, serving.schemaNeeds, 'choose a newer release');
  return serving.schema > next.schema
    ? `the database is at schema ${serving.schema}, and ${names.next} knows ${next.schema}: it must work on the newer one`
    : null;
}

function breaks(old: string, schema: number, by: string, needs: number, next: string): DeployError {
  return new DeployError({
    code: 'SCHEMA_BREAKS',
    exit: EXIT.usage,
    what: `${old} cannot work on the database of ${by}, which has taken away what it uses`,
    subject: old,
    limit: `schema ${needs} (label tasuki.schema.needs of ${by}); ${old} knows ${schema}`,
    next,
  });
}

/** The same for the image that is to serve, where it is on this machine; one that is not is looked at when it has come. */
export async function fitSchema(
  engine: Engine,
  observed: Observed,
  { desired, image }: { desired: { kind: Desired['kind'] }; image: string },
): Promise<string | null> {
  const one = servingInstances(observed).at(-1);
  if (!one || desired.kind === 'abort' || desired.kind === 'proxy') return null;
  const [next, serving] = await Promise.all([imageFacts(engine, image), imageFacts(engine, one.imageId)]);
  return next && serving && judgeSchemas(next, serving, { next: image, serving: one.image });
}
