import { readFile } from 'node:fs/promises';
import { endRest, setShare, type Restore, type Share } from '../engine/weight.ts';
import type { Context } from './context.ts';

/**
 * The share of the last ten seconds, in percent, in which something waited for a CPU. Above it nothing is left over, and a boot
 * that takes only that would not end. (The race board on two cores, seen over 1.5 s before a deploy: 19 to 41 at about 60 % of
 * what the machine takes, 74 to 77 at all of it; the kernel's own average after deploys in quick succession: 44 to 65, 72 to 82.)
 */
const SATURATED = 68;
/** So many times its weight for a boot on a saturated machine: somebody waits for it, and it is over soon. */
const QUICK = 8;
/** What has not booted from what is left over in this time gets more; the parked release can wait, and users shall not. */
const PATIENCE_MS = { awaited: 4000, parked: 15_000 };

/**
 * Gives a container that boots its share of the CPU, by `x-deploy.boot-weight`; docs/measured.md has the figures. `auto`: what is
 * left over by those who serve; on a saturated machine, and after a while, a release that somebody waits for goes first instead.
 * Null where it has only its own.
 */
export async function shareOfBoot(context: Context, id: string, isAwaited: boolean): Promise<Restore | null> {
  const wanted = context.config.settings['boot-weight'];
  const pid = (await context.engine.inspect(id))?.State.Pid;
  if (!pid) return null;
  if (wanted !== 'auto') return isAwaited && wanted !== 1 ? await setShare(pid, id, wanted) : null;

  const patience = Math.min(PATIENCE_MS[isAwaited ? 'awaited' : 'parked'], context.timeoutMs / 4);
  const later: Share = isAwaited ? QUICK : 1;
  const hurries = isAwaited && (await isSaturated());
  let restore = setShare(pid, id, hurries ? QUICK : 'rest');
  if (!(await restore)) return null;
  const more = setTimeout(() => {
    restore = restore.then(async (back) => {
      await back?.();
      return await setShare(pid, id, later);
    });
  }, patience).unref();
  return async () => {
    clearTimeout(more);
    return (await (await restore)?.()) ?? true; // gone with its container
  };
}

/** For a container that a killed run may have left with nothing but the rest, before users come to it. */
export async function ownShare({ engine }: Context, id: string): Promise<void> {
  const info = await engine.inspect(id);
  if (!info?.State.Pid || !(await endRest(info.State.Pid, id))) return;
  const { CpuShares } = info.HostConfig;
  if (CpuShares) await engine.docker.getContainer(id).update({ CpuShares });
}

/** Whether nothing of the CPU is left over. Not where the kernel does not tell. */
export async function isSaturated(): Promise<boolean> {
  const text = await readFile('/proc/pressure/cpu', 'utf8').catch(() => '');
  return Number(/^some avg10=([\d.]+)/.exec(text)?.[1] ?? 0) >= SATURATED;
}
