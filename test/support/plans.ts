import { describePlan } from '../../deployer/core/describe.ts';
import type { Observed } from '../../deployer/core/observe.ts';
import { makePlan, type Desired, type PlanOptions } from '../../deployer/core/plan.ts';
import type { Instance } from '../../deployer/engine/instance.ts';

/** Plans as text, and what they are made from. */

export function instance(name: string, release: string, more: Partial<Instance> = {}): Instance {
  const rest = {
    imageId: '',
    status: 'running',
    exitCode: 0,
    createdAt: name,
    stopTimeout: 10,
    held: null,
    keepUntil: null,
  };
  return { id: name, name, release, image: `app:${release}`, visible: true, running: true, ...rest, ...more };
}
export const hidden = { visible: false };
export const stopped = { running: false, status: 'exited' };

export function observed(
  serving: string | null,
  known: string[],
  instances: Instance[],
  remembered = serving,
): Observed {
  const record = serving === null ? null : { version: 1 as const, serving, known, at: '' };
  return { record, instances, pod: null, route: null, url: null, remembered, proxies: [] };
}
export const next = {
  kind: 'deploy' as const,
  release: 'r9',
  image: 'app:r9',
  token: 'secret',
  build: false,
  pull: false,
  hold: false,
  smoke: true,
};

/** A deploy without anything that must be asked for, but for the parking. */
export const PLAIN: PlanOptions = {
  park: true,
  keepMs: null,
  watchMs: 0,
  canary: null,
  hooks: [],
  warmUp: null,
  migrate: null,
  route: null,
  scale: { now: 1, next: 1 },
  workers: [],
};

/** The plan's steps in a word or two each, without their causes. */
export function words(
  desired: Desired,
  state: Observed,
  park = true,
  more: Partial<PlanOptions> = {},
): string {
  return describePlan(makePlan(desired, state, { ...PLAIN, park, ...more }))
    .split('\n')
    .map((line) => (line.startsWith('  ') ? `  ${line.slice(2, 46).trim()}` : line))
    .join('\n');
}

export const BOOT = `undone if anything fails
  create a container of app:r9
  start release r9
  wait until it is healthy in standby
  ask it for its pages through the proxy
  see that it stays up
  admit r9
  see it answer through the proxy
the switch
  promote r9
after it
  write app:r9 to .env`;
