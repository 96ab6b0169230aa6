import type { HeldImage } from '../engine/images.ts';
import type { HistoryEntry } from '../store/history.ts';

/** All that decides which images may go. */
export interface PruneFacts {
  /** What this project has deployed, oldest first: only an image that is in here can be ours. */
  history: HistoryEntry[];
  images: HeldImage[];
  /** Ids that somebody needs: of any container, of what Compose would start, of other projects' histories. */
  wanted: Set<string>;
  /** Of the service's image, `app`; a release that failed counts as ours only when it comes from here. */
  repository: string;
}

/** An image that nobody needs any more, and the releases it was. */
export interface OldImage extends HeldImage {
  releases: string[];
}

/**
 * The images of old releases that may go, the oldest first. Compared by id: a tag may have moved to an image that is
 * somebody else's. One with a tag that no deploy gave it stays with all its tags: somebody wants it.
 */
export function oldImages({ history, images, wanted, repository }: PruneFacts, keep: number): OldImage[] {
  const last = lastImages(history, keep);
  return [...deployed(history, repository)].flatMap(([id, { names, releases }]) => {
    const held = images.find((image) => image.id === id);
    if (!held || wanted.has(id) || last.has(id)) return [];
    if (!held.tags.every((tag) => names.has(tag))) return [];
    return [{ ...held, releases: [...releases] }];
  });
}

/**
 * Ids of the images of the last `count` releases that served (two of one image count once), and of what has failed
 * since: somebody may be about to try it again.
 */
export function lastImages(history: HistoryEntry[], count: number): Set<string> {
  const ids = new Set<string>();
  const good = new Set<string>();
  for (const { id, ok } of history.flatMap(imagesOf).toReversed()) {
    if (ok && !good.has(id) && good.size >= count) break;
    if (ok) good.add(id);
    ids.add(id);
  }
  return ids;
}

/** `app:v1 (release 20261121T012301-7f3a)`; an image without a tag by the start of its id. */
export function describeImage({ id, tags, releases }: OldImage): string {
  const name = tags.join(' ') || id.replace(/^sha256:/, '').slice(0, 12);
  return `${name} (${releases.join(', ')})`;
}

/** `app` of `app:v1`; a colon before the last slash belongs to a registry's port. */
export function repositoryOf(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** The images of an entry: of the release before it, then its own. */
function imagesOf(entry: HistoryEntry): { id: string; name: string; release: string; ok: boolean }[] {
  const { from, fromImage, fromImageId, imageId, image, release, outcome } = entry;
  const ok = outcome === 'done' || outcome === 'incomplete';
  return [
    ...(fromImageId && fromImage && from
      ? [{ id: fromImageId, name: fromImage, release: from, ok: true }]
      : []),
    ...(imageId ? [{ id: imageId, name: image, release, ok }] : []),
  ];
}

type Deployed = Map<string, { names: Set<string>; releases: Set<string> }>;

function deployed(history: HistoryEntry[], repository: string): Deployed {
  const known: Deployed = new Map();
  for (const { id, name, release, ok } of history.flatMap(imagesOf)) {
    // `deploy --image mysql:9` fails, and mysql is none of our releases for that.
    if (!ok && repositoryOf(name) !== repository) continue;
    const entry = known.get(id) ?? { names: new Set(), releases: new Set() };
    known.set(id, entry);
    entry.names.add(repositoryOf(name) === name ? `${name}:latest` : name);
    entry.releases.add(release);
  }
  return known;
}
