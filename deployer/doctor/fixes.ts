import { readRecord } from '../core/observe.ts';
import { nullIf } from '../engine/docker.ts';
import type { Instance } from '../engine/instance.ts';
import { rememberIn } from '../store/remember.ts';
import { Lock, lockOwner } from '../store/lock.ts';
import type { Fix } from './check.ts';
import type { Facts } from './facts.ts';

/** Removes the lock of a deploy that is gone. */
export function removeDeadLock({ engine, config }: Facts): Fix {
  return {
    what: 'remove the lock of a deploy that is gone',
    safe: true,
    do: async () => {
      const seen = await engine.inspect(`${config.project}-deploy-lock`);
      const lock = await lockOwner(engine, config.project);
      if (!seen || !lock) return;
      if (lock.alive) throw new Error('a deploy has taken it over');
      // By the id seen before its owner was found dead: a lock taken over since has another, and is left alone.
      await engine.docker.getContainer(seen.Id).remove({ force: true }).catch(nullIf(404, 409));
    },
  };
}

/** Removes stopped containers; one that has been started since is left alone. */
export function removeStopped(facts: Facts, stopped: Instance[]): Fix {
  return {
    what: `remove ${stopped.length} stopped ${stopped.length === 1 ? 'container' : 'containers'} of the app`,
    safe: true,
    do: () =>
      underLock(facts, async () => {
        for (const { id } of stopped) {
          // Without force the engine refuses (409) what runs.
          await facts.engine.docker.getContainer(id).remove().catch(nullIf(404, 409)); // oxlint-disable-line no-await-in-loop
        }
      }),
  };
}

/** Writes the release that serves, its image, and how many containers it has to `.env`. */
export function writeEnv(facts: Facts, image: string, release: string, count: number): Fix {
  return {
    what: `write ${image}${release ? ` and release ${release}` : ''} to ${facts.config.envFile}`,
    safe: true,
    do: () =>
      underLock(facts, async () => {
        const now = await readRecord(facts.engine, facts.pod.Id);
        if (now?.serving !== facts.record?.serving)
          throw new Error('another release serves now; run doctor again');
        await rememberIn(facts.config, { image, release, count });
      }),
  };
}

/** No deploy may begin in the middle of a fix. */
async function underLock({ engine, config, pod }: Facts, work: () => Promise<void>): Promise<void> {
  const lock = await Lock.take(engine, config.project, pod.Image, 'doctor --fix', () => {});
  try {
    await work();
  } finally {
    await lock.release();
  }
}
