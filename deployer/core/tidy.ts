import { INITIAL_RELEASE } from '../contract.ts';
import type { Instance } from '../engine/instance.ts';
import type { Observed } from './observe.ts';
import type { Step } from './plan.ts';
import { settle } from './settle.ts';

/** What an interrupted run left undone after its pivot, or left over before it. Without a record nothing is certain. */
export function planTidy(observed: Omit<Observed, 'proxies'>, scale: number): Step[] {
  const serving = observed.record?.serving ?? null;
  if (serving === null) return [];
  const old = observed.instances.filter((one) => one.running && one.release === serving);
  const steps = settle(serving, null, observed.instances, {
    park: true,
    keepMs: null,
    keep: keepWarm(observed),
    scale,
  });
  const image = old[0]?.image;
  if (image && observed.remembered !== serving && (steps.length || observed.remembered)) {
    steps.unshift({
      id: 'remember',
      do: 'remember',
      release: serving,
      image,
      count: scale,
      cause: '.env names another release',
    });
  }
  const { route } = observed;
  if (route && route[0] !== serving && old.length) {
    const releases = [serving, ...route.filter((one) => one !== serving)];
    const cause = route.length
      ? 'it goes to another release'
      : 'it is to go there alone while the next one boots';
    steps.unshift({ id: 'route', do: 'route', releases, before: route, cause });
  }
  return steps;
}

/** How many containers the release that serves has: a run that was killed before it wrote that down made as many as it was told. */
export function scaleNow(
  { record, instances, remembered }: Pick<Observed, 'record' | 'instances' | 'remembered'>,
  configured: number,
): number {
  if (!record || (remembered ?? INITIAL_RELEASE) === record.serving) return configured; // plain Compose names no release
  const seats = instances.filter((one) => one.running && one.visible && one.release === record.serving);
  return seats.length || configured;
}

/** While tidying, the warm previous release is left as it is. */
function keepWarm(observed: Pick<Observed, 'record' | 'instances'>): Instance | null {
  const known = observed.record?.known ?? [];
  const warm = observed.instances.filter((one) => one.running && !one.visible && known.includes(one.release));
  return warm.toSorted((a, b) => known.indexOf(a.release) - known.indexOf(b.release))[0] ?? null;
}
