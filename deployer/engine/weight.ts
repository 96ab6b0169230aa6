import { readFile, writeFile } from 'node:fs/promises';

/** Control groups of version 2 know `cpu.weight` (1 to 10000), those of version 1 `cpu.shares` (2 to 262144). */
const FILES = [
  { file: 'cpu.weight', controller: '', least: 1, most: 10_000 },
  { file: 'cpu.shares', controller: 'cpu', least: 2, most: 262_144 },
];
/** Before Linux 5.15 there is no `cpu.idle`; this is as little as the kernel's own weight for what is idle. */
const NEARLY_NOTHING = 0.003;

/** What a container's processes get of a CPU that all want: so many times their weight, or `rest`, what nobody else wants. */
export type Share = number | 'rest';

/** Puts a container's share back to exactly what it was, and answers whether it is that again. */
export type Restore = () => Promise<boolean>;

/**
 * Changes the share of a container. It is written to the kernel itself: the engine would start a process for it, and knows no
 * way back to a weight that was never set. Null where that cannot be done: not root, an engine elsewhere, a control group that
 * is not where the kernel says.
 */
export async function setShare(pid: number, containerId: string, share: Share): Promise<Restore | null> {
  for (const { file, controller, least, most } of FILES) {
    const path = await groupOf(pid, containerId, controller);
    const before = path && (await read(`${path}/${file}`));
    if (!before) continue;
    const idle = `${path}/cpu.idle`;
    if (share === 'rest' && (await write(idle, '1')))
      return async () => {
        await write(idle, '0'); // its weight is the kernel's default then
        await write(`${path}/${file}`, before);
        return (await read(idle))?.trim() === '0' && (await read(`${path}/${file}`)) === before;
      };
    const factor = share === 'rest' ? NEARLY_NOTHING : share;
    const during = Math.min(most, Math.max(least, Math.round(Number(before) * factor)));
    if (!(await write(`${path}/${file}`, String(during)))) return null;
    return async () => {
      await write(`${path}/${file}`, before);
      return (await read(`${path}/${file}`)) === before;
    };
  }
  return null;
}

/** Ends the `rest` that a killed run left behind; true when there was one. The weight is the kernel's default then. */
export async function endRest(pid: number, containerId: string): Promise<boolean> {
  for (const { controller } of FILES) {
    const path = await groupOf(pid, containerId, controller);
    if (path && (await read(`${path}/cpu.idle`))?.trim() === '1') return await write(`${path}/cpu.idle`, '0');
  }
  return false;
}

async function read(file: string): Promise<string | null> {
  return await readFile(file, 'utf8').catch(() => null);
}

/** False where it cannot be written, or is gone with its container. */
async function write(file: string, text: string): Promise<boolean> {
  return await writeFile(file, text, { flag: 'r+' }).then(
    () => true,
    () => false,
  );
}

/** The folder of a process's control group, which must be the container's own: its weight is nobody else's. */
async function groupOf(pid: number, containerId: string, controller: string): Promise<string | null> {
  const lines = ((await read(`/proc/${pid}/cgroup`)) ?? '').split('\n');
  for (const line of lines) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (!path.includes(containerId)) continue;
    if (controller === '' && controllers === '') return `/sys/fs/cgroup${path}`;
    if (controller && controllers.split(',').includes(controller))
      return `/sys/fs/cgroup/${controllers}${path}`;
  }
  return null;
}
