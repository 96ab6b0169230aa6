import { statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import type { Config } from '../config.ts';
import { nullIf, type Engine } from '../engine/docker.ts';
import { shortage, startsOf, type Need, type Room } from './headroom.ts';
import { servingInstances, type Observed } from './observe.ts';
import { makePlan, type Desired, type PlanOptions } from './plan.ts';

/** Looks at memory and disk; null where that cannot be done here, since the engine works on another machine. */
export async function measureRoom(engine: Engine): Promise<Room | null> {
  const info = (await engine.docker.info().catch(() => null)) as Info | null;
  // A socket may lead to an engine in a virtual machine, which has a memory and a disk of its own.
  if (info?.MemTotal !== totalmem()) return null;
  const path = info.DockerRootDir;
  const space = await statfs(path).catch(() => null);
  // On Linux `freemem` is the kernel's MemAvailable: caches that it would drop count as free.
  return { memory: freemem(), disk: space && { path, free: space.bavail * space.bsize } };
}

interface Info {
  MemTotal: number;
  DockerRootDir: string;
}

/**
 * Lets a deploy pass that the machine has room for, and throws NO_MEMORY or NO_DISK for one that would take it from
 * the release that serves. What a rollback goes to is warm: it is never refused. `measuring` is begun early, so that
 * nobody waits for it here.
 */
export async function requireRoom(
  engine: Engine,
  { settings }: Config,
  observed: Observed,
  desired: Desired,
  options: PlanOptions & { measuring: Promise<Room | null> },
): Promise<void> {
  if (['rollback', 'abort', 'proxy'].includes(desired.kind)) return;
  const [room, each, image] = await Promise.all([
    options.measuring,
    settings['free-memory'] === false ? 0 : memoryOfServing(engine, observed),
    desired.kind === 'deploy' && (desired.pull || desired.build) ? sizeOfServing(engine, observed) : 0,
  ]);
  const containers = startsOf(makePlan(desired, observed, options));
  const need: Need = { containers, memoryOfEach: each, image };
  const refusal = room && shortage(room, need, settings);
  if (refusal) throw refusal;
}

/** Bytes; 0 when nothing serves. */
async function memoryOfServing(engine: Engine, observed: Observed): Promise<number> {
  const one = servingInstances(observed).at(-1);
  if (!one) return 0;
  // One-shot: the engine would else measure twice, a second apart.
  const options = { stream: false, 'one-shot': true } as const;
  const stats = await engine.docker
    .getContainer(one.id)
    .stats(options)
    .catch(() => null);
  return stats ? usedMemory(stats.memory_stats) : 0;
}

/** As docker stats counts it: without the files that the kernel drops when it needs room (cgroup v1, then v2). */
export function usedMemory(stats: { usage?: number; stats?: object }): number {
  const { total_inactive_file: v1, inactive_file: v2 } = (stats.stats ?? {}) as Record<string, number>;
  return Math.max(0, (stats.usage ?? 0) - (v1 ?? v2 ?? 0));
}

async function sizeOfServing(engine: Engine, observed: Observed): Promise<number> {
  const one = servingInstances(observed).at(-1);
  if (!one) return 0;
  return (await engine.docker.getImage(one.imageId).inspect().catch(nullIf(404)))?.Size ?? 0;
}
