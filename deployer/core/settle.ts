import type { Instance } from '../engine/instance.ts';
import type { Of, Step } from './plan.ts';

/**
 * The steps to the state of rest: exactly one container that Compose sees, and it serves; the previous release warm in
 * one that Compose does not see; nothing else. Compose would otherwise count the parked one, and its next
 * `up -d` would remove the container with the higher number, which is the one that serves.
 */
export function settle(
  serving: string,
  previous: Instance | null,
  instances: Instance[],
  options: { park: boolean; keepMs: number | null; keep: Instance | null },
): Step[] {
  const steps: Step[] = [];
  const seat = instances.findLast((one) => one.running && one.visible && one.release === serving);
  const hiddenServing = instances.find((one) => one.running && !one.visible && one.release === serving);
  if (!seat && hiddenServing) {
    const image = hiddenServing.image;
    const scale = instances.filter((one) => one.visible).length + 1;
    steps.push({
      id: 'seat',
      do: 'seat',
      release: serving,
      image,
      scale,
      cause: 'Compose must see the one that serves',
    });
  }
  let warm = options.keep;
  if (previous && options.park) {
    warm = instances.find((one) => one.running && !one.visible && one.release === previous.release) ?? null;
    const cause = 'stays warm for an instant rollback, out of the sight of Compose';
    const { id, release } = previous;
    if (!warm) steps.push({ id: 'park', do: 'park', release, twinOf: id, keepMs: options.keepMs, cause });
  }
  for (const one of instances) {
    if (one.id === '' || one === seat || one === warm) continue;
    if (one.release === serving && !seat && !hiddenServing) continue; // all there is of it, if only stopped
    steps.push(retire(one, reason(one, serving, previous)));
  }
  return steps;
}

function reason(one: Instance, serving: string, previous: Instance | null): string {
  if (one.release === serving)
    return one.running ? 'another container of this release serves' : 'it does not run';
  if (one.held !== null) return 'it was held, and this deploy takes its place';
  if (one.release === previous?.release) return 'its release is parked in another container, or not kept';
  if (one.keepUntil !== null && !one.running) return 'the time it was parked for is over';
  return one.running ? 'neither serving nor parked' : `left over (${one.status})`;
}

/** Ends a container of the service. */
export function retire({ id, name, release }: Instance, cause: string): Of<'retire'> {
  return { id: `retire:${name}`, do: 'retire', release, target: id, cause };
}
