import type { Instance } from '../engine/instance.ts';
import type { HookName } from '../hooks/schema.ts';
import type { Observed } from './observe.ts';
import { planProxy, planProxyTidy, type ProxyStep, type ProxyWish } from '../proxy/plan.ts';
import { admission, confirm, hook, promote, proof, route, standby, steady, watch } from './admission.ts';
import { retire, settle } from './settle.ts';
import { planTidy } from './tidy.ts';

/**
 * One step as data: what to do, on what, and why. `core/steps.ts` knows how. `count`: containers of the release; `scale`: of
 * the service in all, as Compose will see them.
 */
export type Step = ProxyStep | AppStep;
type AppStep = { id: string; cause: string } & (
  | { do: 'build'; image: string }
  | { do: 'pull'; image: string }
  | { do: 'create'; release: string; image: string; count: number; scale: number }
  | { do: 'migrate'; release: string; image: string; command: string[] }
  | { do: 'hide'; release: string; token: string }
  | { do: 'start'; release: string }
  | { do: 'standby'; release: string; image: string; target: string | null }
  | { do: 'warm-up'; release: string; paths: string[]; ms: number }
  | { do: 'smoke'; release: string; token: string }
  | { do: 'steady'; release: string }
  | { do: 'admit'; release: string; target: string | null }
  | { do: 'route'; releases: string[]; before: string[] }
  | { do: 'confirm'; release: string; loosen: string[] }
  | { do: 'promote'; release: string }
  | { do: 'join'; release: string }
  | { do: 'drain'; release: string; targets: string[] }
  | { do: 'remember'; release: string; image: string; count: number }
  | { do: 'seat'; release: string; image: string; count: number; scale: number }
  | { do: 'park'; release: string; twinOf: string; keepMs: number | null }
  | { do: 'retire'; release: string; target: string }
  | { do: 'worker'; service: string; release: string; image: string }
  | { do: 'weigh'; percent: number | null; targets: string[] }
  | { do: 'canary'; release: string; percent: number; ms: number; targets: string[] }
  | { do: 'watch'; release: string; ms: number }
  | { do: 'hook'; hook: HookName; release: string; image: string }
);
export type Of<Word extends Step['do']> = Extract<Step, { do: Word }>;

/**
 * `tidy` finishes what an interrupted run left; `reversible` steps are undone in reverse when one fails; after the
 * `pivot` there is only forward. Without a pivot nothing changes for users. When `watch` fails, the run goes back.
 */
export interface Plan {
  tidy: Step[];
  reversible: Step[];
  pivot: Step | null;
  forward: Step[];
  watch: Step[];
}

export type Desired =
  | ({ kind: 'deploy'; release: string; image: string } & DeployOptions)
  | { kind: 'rollback'; to: Instance }
  | { kind: 'admit'; held: Instance }
  | { kind: 'abort'; held: Instance }
  | ProxyWish;

interface DeployOptions {
  build: boolean;
  pull: boolean;
  /** Stop before admission. */
  hold: boolean;
  /** Ask the release for pages through the proxy before it is admitted. */
  smoke: boolean;
  /** Who knows it sees the release before it is admitted. */
  token: string;
}

export interface PlanOptions {
  /** Keep the previous release warm. */
  park: boolean;
  /** And for how long, in milliseconds; null: until the next deploy. */
  keepMs: number | null;
  /** How long the new release is compared with the old one, in milliseconds; 0: not at all. */
  watchMs: number;
  /** Shares of the new connections in percent, in this order, and how long each in milliseconds. */
  canary: { percents: number[]; ms: number } | null;
  /** The operator's commands that a deploy waits for, of those that are configured. */
  hooks: HookName[];
  /** Services that take jobs, and run the release that serves. */
  workers: string[];
  /** Pages that the release is asked for before its users, and for how many milliseconds at most. */
  warmUp: { paths: string[]; ms: number } | null;
  /** How many containers the release that serves has, and the next one gets. */
  scale: { now: number; next: number };
  /** The releases that the proxy sends to, where it chooses; else null. */
  route: string[] | null;
  /** The image's command that migrates the database, if it has one. */
  migrate: string[] | null;
}

const NOTHING: Plan = { tidy: [], reversible: [], pivot: null, forward: [], watch: [] };

/** From what is wanted and what is there to what to do. Pure: no clock, no engine, no chance. */
export function makePlan(desired: Desired, observed: Observed, options: PlanOptions): Plan {
  const serving = observed.record?.serving ?? null;
  const old = observed.instances.filter((one) => one.running && one.release === serving);
  const left = planProxyTidy(observed.proxies);
  if (desired.kind === 'proxy') return { tidy: left, ...planProxy(desired, observed.proxies) };
  if (desired.kind === 'rollback') return rollbackPlan(desired.to, old, observed, options);
  if (desired.kind === 'admit') return admitPlan(desired.held, old, observed, options);
  if (desired.kind === 'abort') return { ...NOTHING, forward: [retire(desired.held, 'it is not wanted')] };

  const { release, image, token } = desired;
  const tidy = [...left, ...planTidy(observed, options.scale.now)];
  // What stands in Compose's eyes after the tidying: the serving instances, or nothing.
  const visible = observed.instances.filter(
    (one) => one.visible && !tidy.some((s) => targetOf(s) === one.id),
  ).length;
  const seated = tidy.reduce((sum, step) => (step.do === 'seat' ? sum + step.count : sum), 0);
  const count = desired.hold ? 1 : options.scale.next; // the others of a held one come when it is admitted
  const reversible = hook('pre-deploy', release, image, options);
  if (desired.build) reversible.push({ id: 'build', do: 'build', image, cause: 'asked for with --build' });
  if (desired.pull)
    reversible.push({ id: 'pull', do: 'pull', image, cause: 'the image is not on this machine' });
  reversible.push({
    id: 'create',
    do: 'create',
    release,
    image,
    count,
    scale: visible + seated + count,
    cause: count === 1 ? 'the next release needs a container' : 'the next release needs its containers',
  });
  if (desired.hold)
    reversible.push({
      id: 'hide',
      do: 'hide',
      release,
      token,
      cause: 'Compose must not see it while it is held',
    });
  if (options.migrate)
    reversible.push({
      id: 'migrate',
      do: 'migrate',
      release,
      image,
      command: options.migrate,
      cause: 'both releases work on the new schema',
    });
  reversible.push(
    { id: 'start', do: 'start', release, cause: 'it boots beside the old one, and no user meets it yet' },
    ...proof(desired, options),
  );
  if (desired.hold) return { ...NOTHING, tidy, reversible };
  reversible.push(...admission({ release, image }, null, old, options));
  const after = [
    ...observed.instances.filter((one) => !tidy.some((s) => targetOf(s) === one.id)),
    ...Array.from({ length: count }, () => made(release, image)),
  ];
  return {
    tidy,
    reversible,
    pivot: promote(release),
    forward: afterPivot(release, image, old, after, { ...options, count }),
    watch: watch(release, old, options),
  };
}

function rollbackPlan(to: Instance, old: Instance[], observed: Observed, options: PlanOptions): Plan {
  const reversible: Step[] = [
    { id: 'admit', do: 'admit', release: to.release, target: to.id, cause: 'it is parked and warm' },
    ...route(to.release, old, options),
    confirm(to.release, old),
  ];
  const instances = observed.instances.filter((one) => one.held === null); // it waits for its own order
  const forward = afterPivot(to.release, to.image, old, instances, options);
  return { ...NOTHING, reversible, pivot: promote(to.release), forward };
}

/** What is left of a deploy that was held. */
function admitPlan(held: Instance, old: Instance[], observed: Observed, options: PlanOptions): Plan {
  const { release, image, id } = held;
  const reversible: Step[] = [
    standby(release, image, id),
    steady(release),
    ...admission(held, id, old, options),
  ];
  const forward = afterPivot(release, image, old, observed.instances, options);
  return { ...NOTHING, reversible, pivot: promote(release), forward, watch: watch(release, old, options) };
}

function afterPivot(
  release: string,
  image: string,
  old: Instance[],
  instances: Instance[],
  options: PlanOptions & { count?: number },
): Step[] {
  const steps: Step[] = [
    {
      id: 'remember',
      do: 'remember',
      release,
      image,
      count: options.scale.next,
      cause: 'docker compose up -d must see what serves',
    },
    ...join(release, options.count ?? 1),
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
  const rest = settle(release, previous, instances, { ...options, keep: null, scale: options.scale.next });
  return [...steps, ...rest, ...workerSteps(options.workers, release, image)];
}

/** The others of a release follow the record by themselves. */
function join(release: string, count: number): Step[] {
  const cause = 'with the first one they have the port';
  return count > 1 ? [{ id: 'join', do: 'join', release, cause }] : [];
}

/** Puts the services that take jobs on a release. */
export function workerSteps(services: string[], release: string, image: string): Of<'worker'>[] {
  const cause = 'new consumers first; the old ones finish or give back their jobs';
  return services.map((service) => ({
    id: `worker:${service}`,
    do: 'worker',
    service,
    release,
    image,
    cause,
  }));
}

/** Stands for the container that `create` will make. */
function made(release: string, image: string): Instance {
  const common = {
    name: '',
    imageId: '',
    status: 'running',
    exitCode: 0,
    createdAt: '',
    stopTimeout: 0,
    held: null,
    keepUntil: null,
  };
  return { ...common, id: '', release, image, visible: true, running: true };
}

function targetOf(step: Step): string | null {
  return step.do === 'retire' ? step.target : null;
}
