import { repository } from '../image.ts';
import { nullIf, type Engine } from './docker.ts';

/** What the engine knows of an image on this machine. */
export interface ImageFacts {
  id: string;
  /** `org.opencontainers.image.revision`, which `--build` sets. */
  revision: string | null;
  /** `repository@sha256:…` by which a registry gives exactly this image; null for one that was built here. */
  digest: string | null;
  /** Its newest migration, by the label `tasuki.schema`; null when it does not say. */
  schema: number | null;
  /** Beside it, and after it, no release works that knows less, by `tasuki.schema.needs`; 0 when any does. */
  schemaNeeds: number;
}

/** What an image says of the git revision that it was built from. */
export const REVISION_LABEL = 'org.opencontainers.image.revision';
const SCHEMA_LABEL = 'tasuki.schema';

/** Null when no image of this name or id is here. */
export async function imageFacts({ docker }: Engine, name: string): Promise<ImageFacts | null> {
  const info = await docker.getImage(name).inspect().catch(nullIf(404));
  if (!info) return null;
  const digests = info.RepoDigests ?? [];
  const { [SCHEMA_LABEL]: schema, [`${SCHEMA_LABEL}.needs`]: needs } = info.Config?.Labels ?? {};
  return {
    id: info.Id,
    revision: info.Config?.Labels?.[REVISION_LABEL] || null,
    digest: digests.find((one) => repository(one) === repository(name)) ?? digests[0] ?? null,
    schema: /^\d+$/.test(schema ?? '') ? Number(schema) : null,
    schemaNeeds: /^\d+$/.test(needs ?? '') ? Number(needs) : 0,
  };
}
