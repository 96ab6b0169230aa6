import { nullIf, type Engine } from './docker.ts';

/** An image as the engine holds it. */
export interface HeldImage {
  id: string;
  /** As the engine writes them: `app:v1`. None when its last one has moved on, or it was pulled by digest. */
  tags: string[];
}

/** Every image of the engine. */
export async function listImages({ docker }: Engine): Promise<HeldImage[]> {
  const all = await docker.listImages();
  // Older engines say "<none>:<none>" for what has no tag.
  return all.map(({ Id, RepoTags }) => ({
    id: Id,
    tags: (RepoTags ?? []).filter((tag) => !tag.includes('<none>')),
  }));
}

/** Ids of the images that containers of the engine are made of, whoever made them, running or not. */
export async function imagesInUse({ docker }: Engine, except: string[] = []): Promise<string[]> {
  const all = await docker.listContainers({ all: true });
  return all.filter(({ Id }) => !except.includes(Id)).map(({ ImageID }) => ImageID);
}

/**
 * Removes an image by its id, never by force: one that a container has been made of meanwhile stays by the engine's own
 * rule, and false is the answer. A tag that points elsewhere by now is left alone. Killed in between, the image has
 * fewer tags and the next prune goes on.
 */
export async function removeImage({ docker }: Engine, { id, tags }: HeldImage): Promise<boolean> {
  const options = { noprune: true }; // and no untagged image it was built on: that may be somebody else's
  try {
    // By its id the engine removes only what has one tag.
    for (const tag of tags.slice(1)) {
      const image = docker.getImage(tag);
      const now = await image.inspect().catch(nullIf(404));
      if (now?.Id === id) await image.remove(options);
    }
    await docker.getImage(id).remove(options);
    return true;
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    if (statusCode === 404) return true;
    if (statusCode === 409) return false;
    throw error;
  }
}

/** Bytes of all layers of all images; null where the engine does not say. */
export async function layersSize({ docker }: Engine): Promise<number | null> {
  // dockerode's df() takes no type, and without one the engine walks over all containers and volumes too.
  const options = {
    path: '/system/df?',
    method: 'GET',
    options: { type: 'image' },
    statusCodes: { 200: true },
  };
  return await new Promise((resolve) => {
    docker.modem.dial(options, (error, data) =>
      resolve(error ? null : ((data as { LayersSize?: number }).LayersSize ?? null)),
    );
  });
}
