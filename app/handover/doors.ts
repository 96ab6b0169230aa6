import { join } from 'node:path';
import type { Children } from './children.ts';
import { Door } from './door.ts';
import type { Child } from './handle.ts';
import { previewSocket } from './preview.ts';
import type { Log, Phase, ReleaseRecord, ServeOptions } from './protocol.ts';
import { mayStandIn } from './record.ts';

/** In the run folder; the proxy goes there when nobody takes its connection at the public address. */
export const STAND_IN = 'stand-in.sock';

/** The two doors of an instance: one for who looks at it before its users do, one for users while nobody else answers them. */
export class Doors {
  readonly #preview: Door;
  readonly #standIn: Door;
  readonly #release: string;
  readonly #runDir: string | undefined;
  /** Kept warm for it. */
  readonly #isStandIn: boolean;
  readonly #log: Log;

  constructor(children: Children, release: string, { runDir, standIn = false }: ServeOptions, log: Log) {
    this.#preview = new Door('preview', children);
    this.#standIn = new Door('stand-in', children);
    this.#release = release;
    this.#runDir = runDir;
    this.#isStandIn = standIn;
    this.#log = log;
  }

  get isPreviewed(): boolean {
    return this.#preview.isOpen;
  }

  /** Lets whoever knows the token look at this instance through the proxy; null ends it. */
  async show(token: unknown): Promise<void> {
    await this.#preview.lead(token === null ? null : await previewSocket(this.#runDir, token));
  }

  /** Opens or shuts the second one, as it befits the phase and the record; that it cannot costs a handover nothing. */
  async follow(phase: Phase, record: ReleaseRecord | null): Promise<void> {
    const warm = phase === 'standby' ? this.#isStandIn : phase === 'draining' || phase === 'parked';
    const open = warm && mayStandIn(this.#release, record);
    if (!this.#runDir) return;
    await this.#standIn.lead(open ? join(this.#runDir, STAND_IN) : null).catch((error: unknown) => {
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
