import { DeployError } from '../errors.ts';
import type { DeploySettings } from '../schema.ts';
import { formatSize } from '../size.ts';
import type { Plan } from './plan.ts';

/** What is free where the engine works, in bytes. */
export interface Room {
  /** What the kernel can give to new processes without swapping. */
  memory: number;
  /** The disk that holds images and containers; null where its folder cannot be seen. */
  disk: { path: string; free: number } | null;
}

/** What a deploy is expected to take, in bytes, judged by the release that serves; 0 is "not known". */
export interface Need {
  /** Started while all that runs now still runs. */
  containers: number;
  memoryOfEach: number;
  /** Of an image that is pulled or built. */
  image: number;
}

/** How many containers a plan starts before it has stopped one. */
export function startsOf({ tidy, reversible, forward }: Plan): number {
  const steps = [...tidy, ...reversible, ...forward];
  return steps.reduce(
    (sum, step) =>
      sum + ('count' in step && step.do !== 'remember' ? step.count : step.do === 'park' ? 1 : 0),
    0,
  );
}

/** The refusal of a deploy that this machine has no room for; null when it has. A setting of `false` is not looked at. */
export function shortage(room: Room, need: Need, settings: DeploySettings): DeployError | null {
  const [first, ...others] = [noMemory(room, need, settings), noDisk(room, need, settings)].filter(
    (one) => one !== null,
  );
  if (!first) return null;
  return new DeployError({ ...first, evidence: others.map(({ what, limit }) => `${what}; limit: ${limit}`) });
}

type Lack = { code: string; what: string; subject: string; limit: string; next: string } | null;

function noMemory({ memory }: Room, { containers, memoryOfEach }: Need, settings: DeploySettings): Lack {
  const reserve = settings['free-memory'];
  if (reserve === false) return null;
  const needed = containers * memoryOfEach + reserve;
  if (memory >= needed) return null;
  const parts = memoryOfEach
    ? `${containers} × ${formatSize(memoryOfEach)}, what one container of the release that serves uses, and `
    : '';
  return {
    code: 'NO_MEMORY',
    what: `not enough memory to start the next release beside what runs: ${formatSize(memory)} available`,
    subject: 'the memory of this machine',
    limit: `${formatSize(needed)}: ${parts}${formatSize(reserve)} (x-deploy.free-memory)`,
    next: 'docker stats --no-stream   shows who has it; deploy prune   removes containers that a killed deploy left',
  };
}

function noDisk({ disk }: Room, { image }: Need, settings: DeploySettings): Lack {
  const reserve = settings['free-disk'];
  if (reserve === false || !disk || disk.free >= reserve + image) return null;
  const parts = image ? `${formatSize(image)}, an image as large as the one that serves, and ` : '';
  return {
    code: 'NO_DISK',
    what: `not enough disk for the next release: ${formatSize(disk.free)} free`,
    subject: disk.path,
    limit: `${formatSize(reserve + image)}: ${parts}${formatSize(reserve)} (x-deploy.free-disk)`,
    next: 'deploy prune --last 1   removes images of old releases; docker system df   shows what else is there',
  };
}
