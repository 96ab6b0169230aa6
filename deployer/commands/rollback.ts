import { parkedInstance, type Observed } from '../core/observe.ts';
import { nameOfPast, pastImage } from '../core/past-image.ts';
import type { Engine } from '../engine/docker.ts';
import type { Instance } from '../engine/instance.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import { newReleaseId, newToken } from '../release-id.ts';
import { change, type Globals, type Wish } from '../run.ts';
import { readReleases } from '../store/history.ts';

/** `deploy rollback [release]`: re-admits a parked release; one that is not warm any more is deployed again. */
export async function rollback(globals: Globals, release: string | undefined): Promise<ExitCode> {
  return await change(
    globals,
    release ? `rollback ${release}` : 'rollback',
    async (observed, engine, _config, folder) => {
      const target = release ?? (await before(observed, folder));
      if (!target) {
        throw new DeployError({
          code: 'NOTHING_BEFORE',
          exit: EXIT.usage,
          what: 'there is no release to go back to',
          next: 'deploy history   lists what has been deployed from here',
        });
      }
      if (target === observed.record?.serving) {
        throw new DeployError({
          code: 'ALREADY_SERVES',
          exit: EXIT.usage,
          what: `release ${target} already serves`,
          next: 'deploy history   lists the others',
        });
      }
      const warm = warmInstance(observed, target);
      if (warm) {
        return {
          command: 'rollback',
          release: target,
          image: warm.image,
          desired: { kind: 'rollback', to: warm },
        };
      }
      return await again(target, folder, engine);
    },
  );
}

/** The release before; one that was taken back for doing worse is not meant. */
async function before({ record }: Observed, folder: string): Promise<string | undefined> {
  const history = await readReleases(folder);
  const worse = (release: string): boolean =>
    history.findLast((one) => one.release === release)?.outcome === 'returned';
  return record?.known.find((release) => !worse(release));
}

function warmInstance(observed: Observed, release: string): Instance | null {
  const parked = parkedInstance(observed);
  if (parked?.release === release) return parked;
  return observed.instances.find((one) => one.running && one.release === release) ?? null;
}

async function again(target: string, folder: string, engine: Engine): Promise<Wish> {
  const past = pastImage(await readReleases(folder), target);
  if (!past) {
    throw new DeployError({
      code: 'UNKNOWN_RELEASE',
      exit: EXIT.usage,
      what: `release ${target} is not parked, and this machine's history does not know its image`,
      next: 'deploy history   lists releases; deploy --image NAME:TAG   deploys one',
    });
  }
  const [tagged, kept] = await Promise.all([
    engine.imageId(past.image),
    past.imageId === null ? null : engine.imageId(past.imageId),
  ]);
  const { image, pull } = nameOfPast(past, { tagged, kept: kept !== null }, target);
  const release = newReleaseId();
  // Somebody is in a hurry, and it has served before.
  const plain = { build: false, hold: false, smoke: false, token: newToken(release) };
  const desired = { kind: 'deploy' as const, release, image, pull, ...plain };
  return { command: 'rollback', release, image, desired };
}
