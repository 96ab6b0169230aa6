import assert from 'node:assert/strict';
import type { Project } from './project.ts';
import type { Load } from './load/index.ts';

/**
 * Does `count` handovers, deploys and rollbacks in turn (three to one: a rollback after every third deploy), and calls
 * `after` behind each. Gives the milliseconds from the start of each command to the first answer of its release.
 */
export async function handOver(
  project: Project,
  load: Load,
  images: string[],
  count: number,
  after: (n: number) => Promise<void> = async () => {},
): Promise<{ deploys: number[]; rollbacks: number[] }> {
  const deploys: number[] = [];
  const rollbacks: number[] = [];
  for (let n = 0; n < count; n++) {
    const back = n % 4 === 3;
    const args = back ? ['rollback'] : ['--image', images[n % images.length] ?? ''];
    await load.mark(`${n + 1}: ${args.join(' ')}`);
    const { events } = await project.deployOk(...args, '--json');
    const serving = events.find((event) => event.type === 'serving');
    assert.ok(serving?.type === 'serving', 'the command itself must see its release answer');
    (back ? rollbacks : deploys).push(serving.ms);
    await after(n + 1);
  }
  return { deploys, rollbacks };
}

/** Middle value; of an even number of values the lower one of the two. */
export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}
