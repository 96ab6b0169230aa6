import type { Children } from './children.ts';
import type { Place } from './place.ts';
import { HandoverError, type Manner } from './protocol.ts';
import type { Serial } from './serial.ts';

/** One listening socket, connections are kept, and no request waits. */
export const USUAL: Manner = { closeEvery: 0, sockets: 1, hold: 0 };
/** More listening sockets for each child are of no use: one of five hundred is a fifth of a percent. */
export const MAX_SOCKETS = 500;

/** How the children serve, as a session has asked for it; as usual again when the session ends. A pause ends by itself. */
export class Manners {
  readonly #children: Children;
  readonly #serial: Serial;
  readonly #place: Place;
  #owner: object | null = null;
  #pauseEnd: NodeJS.Timeout | undefined;
  current = USUAL;

  constructor(children: Children, serial: Serial, place: Place) {
    this.#children = children;
    this.#place = place;
    this.#serial = serial;
  }

  /** Refuses a share of connections where all of them go one way. */
  async change(owner: object | null, change: Partial<Manner>): Promise<void> {
    if (!this.#place.isShared && (change.sockets ?? 1) > 1)
      throw new HandoverError('NO_SHARES', 'one socket takes all new connections: there are no shares of it');
    await this.#serial.run(async () => {
      this.#owner = owner;
      this.current = { ...this.current, ...change };
      await this.#children.askAll({ do: 'manner', manner: this.current });
    });
  }

  /** Lets up to `limit` new requests of each child wait for at most `ms`; with a limit of 0 they go on. */
  async pause(limit: number, ms: number): Promise<void> {
    clearTimeout(this.#pauseEnd);
    await this.change(this.#owner, { hold: limit });
    if (limit > 0) this.#pauseEnd = setTimeout(() => void this.pause(0, 0).catch(() => {}), ms);
  }

  released(owner: object): void {
    const { closeEvery, sockets } = USUAL;
    if (this.#owner === owner) void this.change(null, { closeEvery, sockets }).catch(() => {});
  }
}
