import { DeployError, EXIT } from '../errors.ts';
import { shortImage } from '../image.ts';
import type { HistoryEntry } from '../store/history.ts';

/** The image of a past release, as the history wrote it down then. */
export interface PastImage {
  image: string;
  /** Null in lines of earlier versions, and of images that were never here. */
  imageId: string | null;
  digest: string | null;
}

/** The last line about a release that served counts, before those of one that did not come so far. */
export function pastImage(history: HistoryEntry[], release: string): PastImage | null {
  const own = history.filter((one) => one.release === release);
  const entry = own.findLast((one) => one.outcome === 'done') ?? own.at(-1);
  if (entry) return { image: entry.image, imageId: entry.imageId, digest: entry.digest };
  const next = history.findLast((one) => one.from === release);
  if (!next?.fromImage) return null;
  return { image: next.fromImage, imageId: next.fromImageId, digest: null };
}

/** What is on this machine: the id that the tag names now, and whether the old id is still here. */
export interface Here {
  tagged: string | null;
  kept: boolean;
}

/**
 * The name by which the engine gives exactly the image of then: its tag while that still names it, else its id, else the
 * registry's digest. A tag that names another image by now is never taken for it.
 */
export function nameOfPast(past: PastImage, here: Here, release: string): { image: string; pull: boolean } {
  const { image, imageId, digest } = past;
  if (imageId === null) return { image, pull: here.tagged === null };
  if (here.tagged === imageId) return { image, pull: false };
  if (here.kept) return { image: imageId, pull: false };
  if (digest !== null) return { image: digest, pull: true };
  throw new DeployError({
    code: 'IMAGE_GONE',
    exit: EXIT.usage,
    what: `the image of release ${release} (${shortImage(imageId)}) is not on this machine any more${
      here.tagged === null ? '' : `, and ${image} names another by now (${shortImage(here.tagged)})`
    }`,
    subject: image,
    next: 'deploy history   lists other releases; deploy --image NAME:TAG   deploys what is here',
  });
}
