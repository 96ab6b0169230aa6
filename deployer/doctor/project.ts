import type { Config } from '../config.ts';
import { IMAGE_VARIABLE, RELEASE_VARIABLE, type ReleaseRecord } from '../contract.ts';
import { parkedInstance, type Observed } from '../core/observe.ts';
import { scaleNow } from '../core/tidy.ts';
import type { Instance } from '../engine/instance.ts';
import { readEnvFile } from '../store/env-file.ts';
import { readInterruption, type Interruption } from '../store/journal.ts';
import { lockOwner } from '../store/lock.ts';
import { stateFolder } from '../store/paths.ts';
import { fail, ok, skipped, warn, type Check, type Fix, type Lack, type Verdict } from './check.ts';
import type { Facts } from './facts.ts';
import { removeDeadLock, removeStopped, writeEnv } from './fixes.ts';

/** Whether `deploy` can work on this project at all. */
export function judgeConfig(
  lack: Lack | undefined,
  config: Pick<Config, 'project' | 'files'> | undefined,
): Verdict {
  if (lack || !config)
    return fail(`project: ${lack?.detail ?? 'unknown'}`, lack?.advice ?? 'docker compose config');
  return ok(`project ${config.project} (${config.files.join(', ')})`);
}

/** Whether the stack is up. */
export function judgePod(lack: Lack | undefined): Verdict {
  return lack ? fail(lack.detail, lack.advice) : ok('the stack is up');
}

/** Compose must see as many running containers as its file says: it would start more, or stop one that serves. */
export function judgeVisible(
  instances: Pick<Instance, 'name' | 'visible' | 'running'>[],
  { service, scale }: { service: string; scale: number },
): Verdict {
  const seen = instances.filter((one) => one.visible && one.running);
  const which = seen.map((one) => one.name).join(', ');
  if (seen.length === scale)
    return ok(
      `Compose sees ${scale === 1 ? 'one running container' : `${scale} running containers`} of ${service}: ${which}`,
    );
  return fail(
    `Compose sees ${seen.length} running containers of ${service}${which && ` (${which})`}, and would have ${scale}: its next "up" would change what serves`,
    'deploy again: it tidies up',
  );
}

/** The variables by which a release is chosen, with the empty string for one that is not set. */
export interface Choice {
  image: string;
  release: string;
}

/** What `docker compose up` would start must be what serves. `shell` overrides `.env`. */
export function judgeEnv(serves: Choice, next: Choice, shell: Choice, fix: Fix): Verdict {
  const variables = { image: IMAGE_VARIABLE, release: RELEASE_VARIABLE };
  const keys = ['image', 'release'] as const;
  const wrong = keys.filter((key) => serves[key] !== next[key]);
  if (wrong.length === 0)
    return ok(
      `docker compose up would start what serves: ${serves.image}${serves.release ? ` as ${serves.release}` : ''}`,
    );
  const words = wrong
    .map((key) => `${variables[key]} is "${next[key]}", what serves is "${serves[key]}"`)
    .join('; ');
  const set = wrong.filter((key) => shell[key]).map((key) => variables[key]);
  if (set.length)
    return fail(
      `docker compose up would start another release, by your shell's environment: ${words}`,
      `unset ${set.join(' ')}`,
    );
  return fail(
    `docker compose up would start another release: ${words}`,
    'deploy doctor --fix   writes .env',
    fix,
  );
}

/** Which containers of the app are neither serving nor parked. */
export function sortOut(
  instances: Instance[],
  record: ReleaseRecord | null,
  scale: number,
): { stopped: Instance[]; strays: Instance[] } {
  const serving = instances.filter((one) => one.running && one.release === record?.serving);
  // With nothing running, the stopped container is what must come back, not what is left over.
  if (serving.length === 0) return { stopped: [], strays: [] };
  const seen = serving.filter((one) => one.visible).slice(-scale);
  const seats = seen.length ? seen : serving.slice(0, 1);
  const parked = parkedInstance({ instances, record } as Observed);
  return {
    stopped: instances.filter(
      (one) => !one.running && one.keepUntil === null && ['exited', 'created', 'dead'].includes(one.status),
    ),
    strays: instances.filter(
      (one) => one.running && !seats.includes(one) && one !== parked && one.held === null,
    ),
  };
}

/** Containers nobody needs; stopped ones can be removed at any time, running ones are the next deploy's to drain. */
export function judgeLeftovers({ stopped, strays }: ReturnType<typeof sortOut>, fix: Fix): Verdict {
  const words = [
    ...(stopped.length ? [`stopped: ${names(stopped)}`] : []),
    ...(strays.length ? [`running, neither serving nor parked: ${names(strays)}`] : []),
  ].join('; ');
  if (!words) return ok('no container of the app is left over');
  const advice = strays.length
    ? 'deploy again: it drains and removes them'
    : 'deploy doctor --fix   removes them';
  return warn(`left-over containers (${words})`, advice, stopped.length ? fix : undefined);
}

function names(all: Instance[]): string {
  return all.map((one) => one.name).join(', ');
}

/** A lock is either held by a deploy that lives, or in nobody's way. */
export function judgeLock(lock: Awaited<ReturnType<typeof lockOwner>>, fix: Fix): Verdict {
  if (!lock) return ok('no deploy holds the lock');
  const { owner, alive } = lock;
  const who = owner
    ? `${owner.user}@${owner.host} (pid ${owner.pid}, "${owner.command}", since ${owner.since})`
    : 'an unknown owner';
  if (alive) return ok(`a deploy is at work: ${who}`);
  return warn(
    `a dead deploy left its lock: ${who}`,
    'deploy doctor --fix   removes it; the next deploy takes it over anyway',
    fix,
  );
}

/** A run that was killed left work behind. */
export function judgeJournal(interruption: Interruption | null, folder: string): Verdict {
  if (!interruption) return ok(`no run was interrupted (journal in ${folder})`);
  const { command, image, at, step } = interruption;
  return warn(
    `the last run was killed: ${command} of ${image}, ${at}${step ? `, at step "${step}"` : ''}`,
    'deploy again: it explains and cleans up',
  );
}

async function env(facts: Facts): Promise<Verdict> {
  const { config, globals, containers, instances, record } = facts;
  const seat = instances.find((one) => one.running && one.visible && one.release === record?.serving);
  if (!seat) return skipped('.env: not checked, Compose sees no container of the release that serves');
  const info = containers.find((one) => one.Id === seat.id);
  const release =
    info?.Config.Env?.find((entry) => entry.startsWith('RELEASE='))?.slice('RELEASE='.length) ?? '';
  const file = await readEnvFile(config.envFile);
  const of = (name: string): string => globals.env[name] ?? '';
  const shell = { image: of(IMAGE_VARIABLE), release: of(RELEASE_VARIABLE) };
  const next = { image: config.image, release: shell.release || (file[RELEASE_VARIABLE] ?? '') };
  return judgeEnv(
    { image: seat.image, release },
    next,
    shell,
    writeEnv(facts, seat.image, release, await scaleIn(facts)),
  );
}

/** As many as a run made that was killed before it wrote that down. */
async function scaleIn({ config, instances, record }: Facts): Promise<number> {
  const file = await readEnvFile(config.envFile);
  return scaleNow({ record, instances, remembered: file[RELEASE_VARIABLE] || null }, config.scale);
}

async function leftovers(facts: Facts): Promise<Verdict> {
  const found = sortOut(facts.instances, facts.record, await scaleIn(facts));
  return judgeLeftovers(found, removeStopped(facts, found.stopped));
}

async function journal({ globals, config, lock }: Facts): Promise<Verdict> {
  const folder = await stateFolder(globals.env, config.project).catch((error: Error) => error);
  if (folder instanceof Error)
    return fail(
      `the state folder cannot be made: ${folder.message}`,
      'make it writable, or set TASUKI_STATE_DIR',
    );
  if (lock?.alive) return ok('a run is in progress');
  return judgeJournal(await readInterruption(folder), folder);
}

const NEEDS: Check['needs'] = ['engine', 'config', 'pod'];

export const PROJECT_CHECKS: Check[] = [
  {
    id: 'config',
    title: 'project',
    needs: [],
    run: ({ missing, config }) => judgeConfig(missing.config, config),
  },
  { id: 'stack', title: 'stack', needs: ['engine', 'config'], run: ({ missing }) => judgePod(missing.pod) },
  {
    id: 'lock',
    title: 'lock',
    needs: ['engine', 'config'],
    run: (facts) => judgeLock(facts.lock, removeDeadLock(facts)),
  },
  { id: 'journal', title: 'journal', needs: ['config'], run: journal },
];

/** After the checks of the app, on whose health they rest. */
export const COMPOSE_CHECKS: Check[] = [
  {
    id: 'visible',
    title: 'what Compose sees',
    needs: [...NEEDS, 'idle'],
    run: ({ instances, config }) =>
      judgeVisible(instances, { service: config.settings.service, scale: config.scale }),
  },
  { id: 'env', title: '.env', needs: [...NEEDS, 'serving', 'idle'], run: env },
  { id: 'leftovers', title: 'left-over containers', needs: [...NEEDS, 'idle'], run: leftovers },
];
