import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { nullIf, type Engine } from '../engine/docker.ts';
import { DeployError, EXIT } from '../errors.ts';

/** Who holds the lock. */
export interface Owner {
  user: string;
  host: string;
  pid: number;
  /** Start of the process in clock ticks after boot, and the boot: a pid alone is used again. */
  started: string;
  boot: string;
  command: string;
  since: string;
  expires: string;
}

const LABEL = 'tasuki.lock';
/** Longer than any run: a lock from another machine, whose processes cannot be seen, counts as dead after this. */
const EXPIRY_MS = 60 * 60_000;

/**
 * One deploy at a time for each project, whichever machine it comes from: the lock is a container that is never
 * started, because the engine creates a name once only. It survives nothing it should not: a dead owner's lock is
 * taken over.
 */
export class Lock {
  readonly #engine: Engine;
  readonly #id: string;

  private constructor(engine: Engine, id: string) {
    this.#engine = engine;
    this.#id = id;
  }

  /** Takes the lock or throws (exit 75). `onTakeOver` hears of a dead owner's lock. */
  static async take(
    engine: Engine,
    project: string,
    image: string,
    command: string,
    onTakeOver: (owner: Owner | null) => void,
  ): Promise<Lock> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const id = await create(engine, project, image, command);
      if (id) return new Lock(engine, id);
      const held = await find(engine, project);
      if (!held) continue; // released in between
      if (held.owner && isAlive(held.owner)) throw locked(held.owner);
      onTakeOver(held.owner);
      // By id: if another deployer was faster, this removes nothing of its lock.
      await engine.docker.getContainer(held.id).remove({ force: true }).catch(nullIf(404, 409));
    }
    throw locked(null);
  }

  async release(): Promise<void> {
    await this.#engine.docker.getContainer(this.#id).remove({ force: true }).catch(nullIf(404, 409));
  }
}

/** The holder of a project's lock; null when it is free. */
export async function lockOwner(
  engine: Engine,
  project: string,
): Promise<{ owner: Owner | null; alive: boolean } | null> {
  const held = await find(engine, project);
  return held && { owner: held.owner, alive: held.owner !== null && isAlive(held.owner) };
}

/** Removes the lock whoever holds it. */
export async function breakLock(engine: Engine, project: string): Promise<void> {
  const held = await find(engine, project);
  if (held) await engine.docker.getContainer(held.id).remove({ force: true }).catch(nullIf(404, 409));
}

async function create(
  engine: Engine,
  project: string,
  image: string,
  command: string,
): Promise<string | null> {
  const now = Date.now();
  const owner: Owner = {
    user: userInfo().username,
    host: hostname(),
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    boot: bootId(),
    command,
    since: new Date(now).toISOString(),
    expires: new Date(now + EXPIRY_MS).toISOString(),
  };
  const container = await engine.docker
    .createContainer({
      name: name(project),
      Image: image,
      Cmd: ['true'],
      Labels: { [LABEL]: JSON.stringify(owner) },
    })
    .catch(nullIf(409));
  return container?.id ?? null;
}

async function find(engine: Engine, project: string): Promise<{ id: string; owner: Owner | null } | null> {
  const info = await engine.inspect(name(project));
  if (!info) return null;
  try {
    return { id: info.Id, owner: JSON.parse(info.Config.Labels?.[LABEL] ?? '') as Owner };
  } catch {
    return { id: info.Id, owner: null };
  }
}

const name = (project: string): string => `${project}-deploy-lock`;

/** Processes of another host name, be it a container on this machine, cannot be seen: those count until they expire. */
function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return Date.parse(owner.expires) > Date.now();
  return owner.boot === bootId() && startOf(owner.pid) === owner.started;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/**
 * Field 22 of /proc/PID/stat (proc(5)); the command name before it may hold spaces, so count from its last ")". Null
 * for a process that has ended, also one (state Z) that its parent has not waited for yet.
 */
function startOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function locked(owner: Owner | null): DeployError {
  const who = owner
    ? `${owner.user}@${owner.host} (pid ${owner.pid}) runs "${owner.command}" since ${owner.since}`
    : 'another deploy';
  return new DeployError({
    code: 'LOCKED',
    exit: EXIT.locked,
    what: `another deploy is at work: ${who}`,
    next: 'wait for it and run this again; if it hangs: deploy unlock',
  });
}
