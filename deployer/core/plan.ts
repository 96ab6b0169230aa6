import type { Instance } from '../engine/docker.ts';
import type { HookName } from '../hooks/schema.ts';
import type { Observed } from './observe.ts';

/** One step as data: what to do, on what, and why. `core/steps.ts` knows how. */
export type Step = { id: string; cause: string } & (
  | { do: 'build'; image: string }
  | { do: 'pull'; image: string }
  | { do: 'create'; release: string; image: string; scale: number }
  | { do: 'start'; release: string }
  | { do: 'standby'; release: string; image: string }
  | { do: 'admit'; release: string; target: string | null }
  | { do: 'confirm'; release: string; loosen: string[] }
  | { do: 'promote'; release: string }
  | { do: 'drain'; release: string; targets: string[] }
  | { do: 'remember'; release: string; image: string }
  | { do: 'seat'; release: string; image: string; scale: number }
  | { do: 'park'; release: string; twinOf: string }
  | { do: 'retire'; release: string; target: string }
  | { do: 'hook'; hook: HookName; release: string; image: string }
);
type Of<Word extends Step['do']> = Extract<Step, { do: Word }>;

/**
 * `tidy` finishes what an interrupted run left; `reversible` steps are undone in reverse when one fails; after the
 * `pivot` there is only forward.
 */
export interface Plan {
  tidy: Step[];
  reversible: Step[];
  pivot: Step;
  forward: Step[];
}

export type Desired =
  | { kind: 'deploy'; release: string; image: string; build: boolean; pull: boolean }
  | { kind: 'rollback'; to: Instance };

export interface PlanOptions {
  /** Keep the previous release warm. */
  park: boolean;
  /** The operator's commands that a deploy waits for, of those that are configured. */
  hooks?: HookName[];
}

/** From what is wanted and what is there to what to do. Pure: no clock, no engine, no chance. */
export function makePlan(desired: Desired, observed: Observed, options: PlanOptions): Plan {
  const serving = observed.record?.serving ?? null;
  const old = observed.instances.filter((one) => one.running && one.release === serving);
  if (desired.kind === 'rollback') return rollbackPlan(desired.to, old, observed, options);

  const { release, image } = desired;
  const tidy = serving === null ? [] : tidyUp(serving, old, observed);
  // What stands in Compose's eyes after the tidying: the serving instance, or nothing.
  const visible = observed.instances.filter(
    (one) => one.visible && !tidy.some((s) => targetOf(s) === one.id),
  ).length;
  const hook = (name: HookName, cause: string): Step[] =>
    options.hooks?.includes(name)
      ? [{ id: `hook:${name}`, do: 'hook', hook: name, release, image, cause }]
      : [];
  const seated = tidy.some((step) => step.do === 'seat') ? 1 : 0;
  const reversible: Step[] = hook('pre-deploy', 'nothing has been changed yet');
  if (desired.build) reversible.push({ id: 'build', do: 'build', image, cause: 'asked for with --build' });
  if (desired.pull)
    reversible.push({ id: 'pull', do: 'pull', image, cause: 'the image is not on this machine' });
  reversible.push(
    {
      id: 'create',
      do: 'create',
      release,
      image,
      scale: visible + seated + 1,
      cause: 'the next release needs a container',
    },
    { id: 'start', do: 'start', release, cause: 'it boots beside the old one, off the port' },
    { id: 'standby', do: 'standby', release, image, cause: 'only a healthy release may be admitted' },
    { id: 'admit', do: 'admit', release, target: null, cause: 'both listen from here on' },
    confirm(release, old),
    ...hook('post-admit', 'it has its first users, and can still be taken back'),
  );
  const after = [
    ...observed.instances.filter((one) => !tidy.some((s) => targetOf(s) === one.id)),
    made(release, image),
  ];
  return {
    tidy,
    reversible,
    pivot: promote(release),
    forward: afterPivot(release, image, old, after, options),
  };
}

/** What an interrupted run left undone after its pivot, or left over before it. */
function tidyUp(serving: string, old: Instance[], observed: Observed): Step[] {
  const steps = settle(serving, null, observed.instances, { park: true, keep: keepWarm(observed) });
  const image = old[0]?.image;
  if (image && observed.remembered !== serving && (steps.length || observed.remembered)) {
    steps.unshift({
      id: 'remember',
      do: 'remember',
      release: serving,
      image,
      cause: '.env names another release',
    });
  }
  return steps;
}

function rollbackPlan(to: Instance, old: Instance[], observed: Observed, options: PlanOptions): Plan {
  const reversible: Step[] = [
    { id: 'admit', do: 'admit', release: to.release, target: to.id, cause: 'it is parked and warm' },
    confirm(to.release, old),
  ];
  const forward = afterPivot(to.release, to.image, old, observed.instances, options);
  return { tidy: [], reversible, pivot: promote(to.release), forward };
}

function confirm(release: string, old: Instance[]): Of<'confirm'> {
  const loosen = old.map((one) => one.id);
  return { id: 'confirm', do: 'confirm', release, loosen, cause: 'it must really answer through the proxy' };
}

function promote(release: string): Of<'promote'> {
  return { id: 'promote', do: 'promote', release, cause: 'one rename decides which release serves' };
}

function afterPivot(
  release: string,
  image: string,
  old: Instance[],
  instances: Instance[],
  options: PlanOptions,
): Step[] {
  const steps: Step[] = [
    { id: 'remember', do: 'remember', release, image, cause: 'docker compose up -d must see what serves' },
  ];
  const leaving = old[0];
  if (leaving) {
    const targets = old.map((one) => one.id);
    steps.push({
      id: 'drain',
      do: 'drain',
      release: leaving.release,
      targets,
      cause: 'open connections get their answers',
    });
  }
  const previous = leaving && leaving.release !== release ? leaving : null;
  return [...steps, ...settle(release, previous, instances, { park: options.park, keep: null })];
}

/**
 * The steps to the state of rest: exactly one container that Compose sees, and it serves; the previous release warm in
 * one that Compose does not see; nothing else. Compose would otherwise count the parked one, and its next
 * `up -d` would remove the container with the higher number, which is the one that serves.
 */
function settle(
  serving: string,
  previous: Instance | null,
  instances: Instance[],
  options: { park: boolean; keep: Instance | null },
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
    if (!warm) steps.push({ id: 'park', do: 'park', release: previous.release, twinOf: previous.id, cause });
  }
  for (const one of instances) {
    if (one.id === '' || one === seat || one === warm) continue;
    if (one.release === serving && !seat && !hiddenServing) continue; // all there is of it, if only stopped
    const cause = reason(one, serving, previous);
    steps.push({ id: `retire:${one.name}`, do: 'retire', release: one.release, target: one.id, cause });
  }
  return steps;
}

function reason(one: Instance, serving: string, previous: Instance | null): string {
  if (one.release === serving)
    return one.running ? 'another container of this release serves' : 'it does not run';
  if (one.release === previous?.release) return 'its release is parked in another container, or not kept';
  return one.running ? 'neither serving nor parked' : `left over (${one.status})`;
}

/** While tidying, the warm previous release is left as it is. */
function keepWarm(observed: Observed): Instance | null {
  const known = observed.record?.known ?? [];
  const warm = observed.instances.filter((one) => one.running && !one.visible && known.includes(one.release));
  return warm.toSorted((a, b) => known.indexOf(a.release) - known.indexOf(b.release))[0] ?? null;
}

/** Stands for the container that `create` will make. */
function made(release: string, image: string): Instance {
  const common = { name: '', imageId: '', status: 'running', exitCode: 0, createdAt: '', stopTimeout: 0 };
  return { ...common, id: '', release, image, visible: true, running: true };
}

function targetOf(step: Step): string | null {
  return step.do === 'retire' ? step.target : null;
}
