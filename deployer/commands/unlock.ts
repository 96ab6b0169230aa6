import { loadConfig } from '../config.ts';
import { Engine } from '../engine/docker.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import type { Globals } from '../run.ts';
import { breakLock, lockOwner } from '../store/lock.ts';

/** `deploy unlock`: removes the lock of a deploy that is gone; of one that still runs only with `--yes`. */
export async function unlock(globals: Globals): Promise<ExitCode> {
  const config = await loadConfig(globals);
  const engine = new Engine();
  await engine.ping();
  const held = await lockOwner(engine, config.project);
  if (!held) {
    globals.print('no lock is held');
    return EXIT.done;
  }
  const { owner } = held;
  if (held.alive && !globals.yes) {
    throw new DeployError({
      code: 'LOCK_IN_USE',
      exit: EXIT.locked,
      what: `the deploy that holds the lock still runs: ${owner?.user}@${owner?.host}, pid ${owner?.pid}, "${owner?.command}"`,
      next: 'wait for it or stop it; to remove its lock all the same: deploy unlock --yes',
    });
  }
  await breakLock(engine, config.project);
  globals.print(
    `removed the lock of ${owner ? `${owner.user}@${owner.host} (pid ${owner.pid})` : 'an unknown owner'}`,
  );
  return EXIT.done;
}
