import { join } from 'node:path';
import type { Children } from './children.ts';
import { Door } from './door.ts';
import type { Child } from './handle.ts';
import { previewSocket } from './preview.ts';
import type { Log } from './protocol.ts';

const STAND_IN = 'stand-in.sock';

/** The two doors of an instance: one for who looks at it before its users do, one for users while nobody else answers them. */
export class Doors {
  readonly #preview: Door;
  readonly #standIn: Door;
  readonly #runDir: string | undefined;
  readonly #log: Log;

  constructor(children: Children, runDir: string | undefined, log: Log) {
    this.#preview = new Door('preview', children);
    this.#standIn = new Door('stand-in', children);
    this.#runDir = runDir;
    this.#log = log;
  }

  get isPreviewed(): boolean {
    return this.#preview.isOpen;
  }

  /** Lets whoever knows the token look at this instance through the proxy; null ends it. */
  async show(token: unknown): Promise<void> {
    await this.#preview.lead(token === null ? null : await previewSocket(this.#runDir, token));
  }

  /** Answers, or no longer answers, while nobody listens on the port; that it cannot costs a handover nothing. */
  async standIn(on: boolean): Promise<void> {
    if (!this.#runDir || on === this.#standIn.isOpen) return;
    await this.#standIn.lead(on ? join(this.#runDir, STAND_IN) : null).catch((error: unknown) => {
      this.#log('warn', 'cannot stand in for the release that serves', { reason: String(error) });
    });
  }

  /** For a child that joins. */
  async join(child: Child): Promise<void> {
    await this.#preview.join(child);
    await this.#standIn.join(child);
  }

  /** Takes the name of the preview away at once; the children shut the doors when they leave. */
  leave(): void {
    this.#preview.remove();
  }
}
