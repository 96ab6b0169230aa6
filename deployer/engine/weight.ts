import { readFile, writeFile } from 'node:fs/promises';

/** Control groups of version 2 know `cpu.weight` (1 to 10000), those of version 1 `cpu.shares` (2 to 262144). */
const FILES = [
  { file: 'cpu.weight', controller: '', least: 1, most: 10_000 },
  { file: 'cpu.shares', controller: 'cpu', least: 2, most: 262_144 },
];

/** Puts a container's weight back to exactly what it was, and answers whether it is that again. */
export type Restore = () => Promise<boolean>;

/**
 * Multiplies the weight with which a container's processes get the CPU when there is not enough for all. It is written to the
 * kernel itself: the engine would start a process for it, and knows no way back to a weight that was never set. Null where
 * that cannot be done: not root, an engine elsewhere, a control group that is not where the kernel says.
 */
export async function multiplyWeight(
  pid: number,
  containerId: string,
  factor: number,
): Promise<Restore | null> {
  for (const { file, controller, least, most } of FILES) {
    const path = await groupOf(pid, containerId, controller);
    const before = path && (await readFile(`${path}/${file}`, 'utf8').catch(() => null));
    if (!before) continue;
    const during = Math.min(most, Math.max(least, Math.round(Number(before) * factor)));
    const wrote = await writeFile(`${path}/${file}`, String(during)).then(
      () => true,
      () => false,
    );
    if (!wrote) return null;
    return async () => {
      await writeFile(`${path}/${file}`, before).catch(() => {}); // gone with its container
      return (await readFile(`${path}/${file}`, 'utf8').catch(() => null)) === before;
    };
  }
  return null;
}

/** The folder of a process's control group, which must be the container's own: its weight is nobody else's. */
async function groupOf(pid: number, containerId: string, controller: string): Promise<string | null> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')).split('\n');
  for (const line of lines) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (!path.includes(containerId)) continue;
    if (controller === '' && controllers === '') return `/sys/fs/cgroup${path}`;
    if (controller && controllers.split(',').includes(controller))
      return `/sys/fs/cgroup/${controllers}${path}`;
  }
  return null;
}
