import type { Config } from '../config.ts';
import type { Engine } from '../engine/docker.ts';
import type { Instance } from '../engine/instance.ts';
import { socketsOf } from './sockets.ts';

/** A container of the proxy. */
export interface Proxy extends Pick<
  Instance,
  'id' | 'name' | 'image' | 'imageId' | 'visible' | 'running' | 'status'
> {
  /** New connections come to it; one that leaves runs on without. */
  listens: boolean;
}

/** What a handover of the proxy makes for its own use, out of the sight of Compose. */
const TWIN = /-(?:test|rehearse)-[0-9T]+-[0-9a-f]{4}$/;

/** All containers of the proxy, oldest first; of those that Compose does not see only a handover's own. */
export async function observeProxies(engine: Engine, { project, settings }: Config): Promise<Proxy[]> {
  const all = (await engine.instances(project, settings.proxy, '')).filter(
    ({ visible, name }) => visible || TWIN.test(name),
  );
  const several = all.filter(({ visible }) => visible).length > 1;
  return await Promise.all(
    all.map(async ({ id, name, image, imageId, visible, running, status }) => ({
      id,
      name,
      image,
      imageId,
      visible,
      running,
      status,
      // The only one needs no look: it is what there is.
      listens: running && visible && (!several || (await looked(engine, id))),
    })),
  );
}

async function looked(engine: Engine, id: string): Promise<boolean> {
  return await socketsOf(engine, id).then(
    ({ listens }) => listens,
    () => false, // it has ended meanwhile
  );
}
