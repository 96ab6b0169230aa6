import type { Instance } from '../engine/instance.ts';
import type { HookName } from '../hooks/schema.ts';
import type { Of, PlanOptions, Step } from './plan.ts';

export function standby(release: string, image: string, target: string | null): Of<'standby'> {
  const cause = 'only a healthy release may be admitted';
  return { id: 'standby', do: 'standby', release, image, target, cause };
}

export function steady(release: string): Of<'steady'> {
  return { id: 'steady', do: 'steady', release, cause: 'one that crashes when it is ready does so soon' };
}

/** What a release must show before its users meet it. */
export function proof(
  { release, image, smoke, token }: { release: string; image: string; smoke: boolean; token: string },
  { warmUp }: PlanOptions,
): Step[] {
  const steps: Step[] = [standby(release, image, null)];
  const warm = 'its first visitors shall not wait for what is done once';
  if (warmUp) steps.push({ id: 'warm-up', do: 'warm-up', release, ...warmUp, cause: warm });
  const seen = 'seen as its users will, before they do';
  if (smoke) steps.push({ id: 'smoke', do: 'smoke', release, token, cause: seen });
  return [...steps, steady(release)];
}

/** Admission at once, or in shares that are compared with what the old release keeps. */
export function admission(
  { release, image }: { release: string; image: string },
  target: string | null,
  old: Instance[],
  options: PlanOptions,
): Step[] {
  const { canary } = options;
  const last = [confirm(release, old), ...hook('post-admit', release, image, options)];
  const admit: Step = { id: 'admit', do: 'admit', release, target, cause: 'both may answer from here on' };
  const targets = old.map((one) => one.id);
  const [first, ...percents] = canary && old.length ? canary.percents : [];
  if (!canary || first === undefined) return [admit, ...route(release, old, options), ...last];
  const weigh = (percent: number | null): Step => {
    const cause = percent === null ? 'it has done well' : 'the kernel shares new connections out by sockets';
    return { id: `weigh:${percent ?? 'even'}`, do: 'weigh', percent, targets, cause };
  };
  const compare = (percent: number): Step => {
    const cause = 'worse than the old one, and it goes';
    return { id: `canary:${percent}`, do: 'canary', release, percent, ms: canary.ms, targets, cause };
  };
  const rest = percents.flatMap((percent) => [weigh(percent), compare(percent)]);
  return [weigh(first), admit, compare(first), ...rest, weigh(null), ...last];
}

/** Where the proxy chooses, it is told; the release before stays on its list for as long as the next one is dead. */
export function route(release: string, old: Instance[], { route: now }: PlanOptions): Of<'route'>[] {
  if (!now) return [];
  const serving = [...new Set(old.map((one) => one.release))];
  const releases = [release, ...serving.filter((one) => one !== release)];
  const cause = 'each release has an address of its own';
  return [{ id: 'route', do: 'route', releases, before: now.length ? now : serving, cause }];
}

export function confirm(release: string, old: Instance[]): Of<'confirm'> {
  const loosen = old.map((one) => one.id);
  return { id: 'confirm', do: 'confirm', release, loosen, cause: 'it must really answer through the proxy' };
}

export function promote(release: string): Of<'promote'> {
  return { id: 'promote', do: 'promote', release, cause: 'one rename decides which release serves' };
}

/** Nothing can be compared with a release that was the first. */
export function watch(release: string, old: Instance[], { watchMs: ms }: PlanOptions): Step[] {
  const cause = 'worse than the one before, and this run goes back to that';
  return ms > 0 && old.length ? [{ id: 'watch', do: 'watch', release, ms, cause }] : [];
}

const WHEN: Partial<Record<HookName, string>> = {
  'pre-deploy': 'nothing has been changed yet',
  'post-admit': 'it has its first users, and can still be taken back',
};

/** The step of an operator's command, where one is configured. */
export function hook(name: HookName, release: string, image: string, { hooks }: PlanOptions): Step[] {
  const cause = WHEN[name] ?? '';
  return hooks.includes(name) ? [{ id: `hook:${name}`, do: 'hook', hook: name, release, image, cause }] : [];
}
