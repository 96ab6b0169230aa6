import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import { nullIf, type Engine } from '../engine/docker.ts';
import { imagesInUse, layersSize, listImages, removeImage } from '../engine/images.ts';
import type { Emit } from '../events.ts';
import { countOf, formatSize } from '../size.ts';
import { readHistory, readReleases } from '../store/history.ts';
import { describeImage, oldImages, repositoryOf, type OldImage, type PruneFacts } from './prune.ts';

/** What a prune has done. */
export interface Pruned {
  removed: OldImage[];
  /** A container has been made of them meanwhile. */
  left: OldImage[];
  /** Bytes of layers; null where the engine does not say. */
  freed: number | null;
}

/** Where to look, and the names of images that must stay besides those of containers. */
export interface Where {
  engine: Engine;
  config: Config;
  /** Of the project's history; those of other projects lie beside it. */
  folder: string;
}

/** Looks at everything that decides which images may go. `gone` are containers that will be removed before. */
export async function gatherPruneFacts(
  { engine, config, folder }: Where,
  gone: string[] = [],
): Promise<PruneFacts> {
  const images = await listImages(engine); // before the containers: one that is made in between counts
  const [history, others, inUse, named] = await Promise.all([
    readReleases(folder),
    readOthers(folder),
    imagesInUse(engine, gone),
    // 400: `${NAME:?}` and the like, which is no name.
    Promise.all(config.named.map((name) => engine.imageId(name).catch(nullIf(400)))),
  ]);
  const elsewhere = others.flatMap(({ imageId, fromImageId }) => [imageId, fromImageId]);
  const wanted = [...inUse, ...named, ...elsewhere].filter((id) => typeof id === 'string');
  return { history, images, wanted: new Set(wanted), repository: repositoryOf(config.image) };
}

/** Removes images one after the other, as one step that is reported; `signal` stops it between two. */
export async function removeImages(
  engine: Engine,
  images: OldImage[],
  emit: Emit,
  signal: AbortSignal,
): Promise<Pruned> {
  const step = {
    type: 'step',
    id: 'prune',
    title: `remove ${countOf(images.length, 'image')} of old releases`,
  } as const;
  const start = performance.now();
  const ms = (): number => Math.round(performance.now() - start);
  emit({ ...step, status: 'start' });
  try {
    const before = await layersSize(engine);
    const pruned: Pruned = { removed: [], left: [], freed: null };
    for (const image of images) {
      if (signal.aborted) break;
      emit({ type: 'progress', id: step.id, text: describeImage(image) });
      const gone = await removeImage(engine, image); // oxlint-disable-line no-await-in-loop -- one can stop after each
      pruned[gone ? 'removed' : 'left'].push(image);
    }
    const now = await layersSize(engine);
    if (before !== null && now !== null) pruned.freed = Math.max(0, before - now);
    emit({ ...step, status: 'done', ms: ms(), detail: describePruned(pruned) });
    return pruned;
  } catch (error) {
    emit({ ...step, status: 'failed', ms: ms(), detail: (error as Error).message });
    throw error;
  }
}

/** The prune that ends a deploy. What goes wrong is a warning: the release serves all the same. */
export async function pruneAfter(where: Where, emit: Emit, signal: AbortSignal): Promise<void> {
  const { prune, 'keep-images': keep } = where.config.settings;
  if (!prune) return;
  try {
    const images = oldImages(await gatherPruneFacts(where), keep);
    if (images.length) await removeImages(where.engine, images, emit, signal);
  } catch (error) {
    const text = `old images are not removed: ${(error as Error).message}; next: deploy prune`;
    emit({ type: 'notice', level: 'warn', text });
  }
}

/** What went, what it gave back, and what stayed. */
export function describePruned({ removed, left, freed }: Pruned): string {
  return [
    removed.map(describeImage).join(', ') || 'none',
    ...(freed === null ? [] : [`${formatSize(freed)} of layers freed`]),
    ...(left.length ? [`in use since, so left: ${left.map(describeImage).join(', ')}`] : []),
  ].join('; ');
}

/** The histories of all other projects that are deployed from this machine. */
async function readOthers(folder: string): Promise<PruneFacts['history']> {
  const names = (await readdir(dirname(folder))).filter((name) => name !== basename(folder));
  return (await Promise.all(names.map((name) => readHistory(join(dirname(folder), name))))).flat();
}
