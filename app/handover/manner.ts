import type { Children } from './children.ts';
import type { Manner } from './protocol.ts';
import type { Serial } from './serial.ts';

/** One listening socket, and connections are kept. */
export const USUAL: Manner = { closeEvery: 0, sockets: 1 };
/** More listening sockets for each child are of no use: one of five hundred is a fifth of a percent. */
export const MAX_SOCKETS = 500;

/** How the children serve, as a session has asked for it; as usual again when the session ends. */
export class Manners {
  readonly #children: Children;
  readonly #serial: Serial;
  #owner: object | null = null;
  current = USUAL;

  constructor(children: Children, serial: Serial) {
    this.#children = children;
    this.#serial = serial;
  }

  change(owner: object | null, change: Partial<Manner>): Promise<void> {
    return this.#serial.run(async () => {
      this.#owner = owner;
      this.current = { ...this.current, ...change };
      await this.#children.askAll({ do: 'manner', manner: this.current });
    });
  }

  released(owner: object): void {
    if (this.#owner === owner) void this.change(null, USUAL).catch(() => {});
  }
}
