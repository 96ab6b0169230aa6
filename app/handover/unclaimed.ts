import type { Place } from './place.ts';

const WINDOW_MS = 10_000;
const EVERY_MS = 500;

/**
 * True when nobody listened for 10 s on end; false as soon as somebody does or `waiting` turns false. After a reboot the
 * release that serves may be gone for good; then a standby instance must not wait for ever.
 */
export async function isUnclaimed(
  place: Pick<Place, 'isListened'>,
  waiting: () => boolean,
): Promise<boolean> {
  const until = performance.now() + WINDOW_MS;
  while (performance.now() < until) {
    if (!waiting() || (await place.isListened())) return false;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  return waiting();
}
