import type { Instance } from '../engine/instance.ts';
import type { Of, Step } from './plan.ts';

/**
 * The steps to the state of rest: as many containers that Compose sees as `scale` says, one as a rule, and they serve; the
 * previous release warm in one that Compose does not see; nothing else. Compose would otherwise count the parked one, and its next
 * `up -d` would remove the container with the higher number, which is the one that serves.
 */
export function settle(
  serving: string,
  previous: Instance | null,
  instances: Instance[],
  options: { park: boolean; keepMs: number | null; keep: Instance | null; scale: number },
): Step[] {
  const steps: Step[] = [];
  const running = instances.filter((one) => one.running && one.release === serving);
  const [first] = running;
  // One that the engine starts again and again is no seat.
  const seats = running.filter((one) => one.visible && one.status === 'running').slice(-options.scale);
  const count = options.scale - seats.length;
  if (first && count > 0) {
    const scale = instances.filter((one) => one.visible).length + count;
    const cause = seats.length ? 'Compose is to have more of them' : 'Compose must see the one that serves';
    steps.push({ id: 'seat', do: 'seat', release: serving, image: first.image, count, scale, cause });
  }
  let warm = options.keep;
  if (previous && options.park) {
    warm = instances.find((one) => one.running && !one.visible && one.release === previous.release) ?? null;
    const cause = 'stays warm for an instant rollback, out of the sight of Compose';
    const { id, release } = previous;
    if (!warm) steps.push({ id: 'park', do: 'park', release, twinOf: id, keepMs: options.keepMs, cause });
  }
  for (const one of instances) {
    if (one.id === '' || seats.includes(one) || one === warm) continue;
    if (one.release === serving && !first) continue; // all there is of it, if only stopped
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
