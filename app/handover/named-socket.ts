import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { bindSocket, type BoundSocket } from './bound-socket.ts';
import { STAND_IN } from './doors.ts';
import type { Child } from './handle.ts';
import { isListened, isSame, nameBeside, pointAt, sweep } from './names.ts';
import type { Place } from './place.ts';
import { HandoverError, type Log } from './protocol.ts';

/** Between two looks at whether the name leads here still. */
const LOOK_EVERY_MS = 200;
const TAKEN_POLL_MS = 20;
/** Until the release that the record names has come, the one before it goes on, so long at most. */
const TAKEN_MS = 5000;

interface Own {
  socket: BoundSocket;
  path: string;
}

export interface NamedSocketOptions {
  path: string;
  log: Log;
  /** This release is to have the name whenever nobody is behind it. */
  isMeant: () => boolean;
  /** Runs a change with none beside it. */
  alone: (change: () => Promise<void>) => Promise<void>;
}

/**
 * A unix socket of which each release has one of its own, shared by its children; the one that stands under the public name
 * gets all new connections. A rename decides which. Whoever had the name before keeps its socket, under `<name>.before` too:
 * who has the name on loan gives it back by rename.
 *
 * An instance that is killed leaves a name behind which nobody is. While it has the name on loan, the socket of the one before is
 * also the stand-in's; and the one that the record names looks whether it must take the name again.
 */
export class NamedSocket implements Place {
  readonly address: { path: string };
  readonly isShared = false;
  readonly #options: NamedSocketOptions;
  readonly #before: string;
  readonly #standIn: string;
  #own: Own | null = null;
  #lent = false;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: NamedSocketOptions) {
    const { path } = options;
    this.#options = options;
    this.address = { path };
    this.#before = `${path}.before`;
    this.#standIn = join(dirname(path), STAND_IN);
  }

  async isListened(): Promise<boolean> {
    return await isListened(this.address);
  }

  async open(): Promise<void> {
    const path = nameBeside(this.address.path);
    this.#own = { socket: bindSocket(path), path };
  }

  async admit(child: Child): Promise<unknown> {
    if (!this.#own) throw new HandoverError('NOT_OPEN', 'there is no socket to listen on');
    const { path, socket } = this.#own;
    return await child.ask({ do: 'listen', path }, undefined, socket);
  }

  async take(lent: boolean): Promise<void> {
    const { path } = this.address;
    const isServed = (await this.isListened()) && (await pointAt(this.#before, path));
    if (!isServed) await rm(this.#before, { force: true });
    if (lent && isServed) {
      await pointAt(`${this.#standIn}.before`, this.#standIn);
      await pointAt(this.#standIn, path);
    }
    this.#lent = lent;
    await this.#put();
    this.#watch = setInterval(() => void this.#look(), LOOK_EVERY_MS);
    this.#watch.unref();
    if (!lent) await sweep(path).catch(() => {}); // what is left over harms nobody
  }

  async keep(): Promise<void> {
    this.#lent = false;
    await this.#put(); // one that booted meanwhile and found its record may have taken it
    await rm(this.#before, { force: true });
    await rm(`${this.#standIn}.before`, { force: true });
    await sweep(this.address.path).catch(() => {});
  }

  async untilTaken(): Promise<void> {
    const end = performance.now() + TAKEN_MS;
    while (this.#own && performance.now() < end && (await isSame(this.address.path, this.#own.path)))
      await wait(TAKEN_POLL_MS);
  }

  async leave(): Promise<() => void> {
    clearInterval(this.#watch);
    const own = this.#own;
    this.#own = null;
    if (!own) return () => {};
    const { path } = this.address;
    if (await isSame(path, own.path)) {
      if (await isListened({ path: this.#before })) await pointAt(path, this.#before);
      else await rm(path, { force: true }); // the proxy goes to the stand-in, and nobody waits here for nothing
      await rm(this.#before, { force: true });
    }
    if (this.#lent) await this.#returnStandIn(path);
    this.#lent = false;
    return () => own.socket.close();
  }

  /** Puts the own socket under the name. */
  async #put(): Promise<void> {
    const own = this.#own?.path ?? '';
    if (!(await pointAt(this.address.path, own)))
      throw new HandoverError('NAME_GONE', `${own}, the own name of the socket, has been removed`);
  }

  /** Lets who stood in before the loan do so again, unless somebody else has begun to meanwhile. */
  async #returnStandIn(lender: string): Promise<void> {
    const before = `${this.#standIn}.before`;
    // The lender may have died meanwhile, and its name be gone or another's.
    if ((await isSame(this.#standIn, lender)) || !(await isListened({ path: this.#standIn }))) {
      if (await isListened({ path: before })) await pointAt(this.#standIn, before);
      else await rm(this.#standIn, { force: true });
    }
    await rm(before, { force: true });
  }

  /** Who had the name on loan, or another instance of this release, may have been killed: its name leads nowhere. */
  async #look(): Promise<void> {
    const own = this.#own;
    const { path } = this.address;
    const { alone, isMeant, log } = this.#options;
    const mustTake = async (): Promise<boolean> =>
      own !== null && own === this.#own && !this.#lent && isMeant() && !(await this.isListened());
    if (!own || (await isSame(path, own.path)) || !(await mustTake())) return;
    await alone(async () => {
      if (!(await mustTake())) return;
      log('warn', `nobody is behind ${path} any more: taking it again`);
      await pointAt(path, own.path);
      await rm(this.#before, { force: true });
      await this.#returnStandIn(own.path);
    });
  }
}
