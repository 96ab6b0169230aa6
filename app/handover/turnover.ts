import type { Children } from './children.ts';
import type { Child } from './handle.ts';
import { describe, type Log } from './protocol.ts';
import type { Serial } from './serial.ts';

export interface TurnoverOptions {
  children: Children;
  log: Log;
  /** How long a leaving child may drain. */
  drainTimeoutMs: number;
  /** No admission or parking happens while a child is replaced. */
  serial: Serial;
  /** Puts a fresh child on the port, when the instance serves. */
  admit: (child: Child) => Promise<void>;
  onChange: () => void;
}

/**
 * Replaces children by fresh ones without losing a request: all, one after the other, on SIGHUP; single ones that ask for
 * it. At most one at a time boots. The drain of a leaving child goes on beside the queue of changes, so that a deploy
 * need not wait for it.
 */
export class Turnover {
  readonly #options: TurnoverOptions;
  readonly #waiting = new Set<Child>();

  constructor(options: TurnoverOptions) {
    this.#options = options;
  }

  /** Chain reload: the next child is replaced when the one before has left. */
  async reload(): Promise<void> {
    const { children, log } = this.#options;
    log('info', 'SIGHUP: replacing the children one by one');
    try {
      for (const child of children.current) await (await this.#replace(child))?.left;
      log('info', 'all children are fresh');
    } catch (error) {
      log('error', 'reload failed; the old children stay', describe(error));
    }
  }

  /** Replaces a child that asks for it; asked again meanwhile, it does nothing. */
  async recycle(child: Child, reason: string): Promise<void> {
    const { log } = this.#options;
    if (this.#waiting.has(child)) return;
    this.#waiting.add(child);
    try {
      const replaced = await this.#replace(child);
      if (replaced) log('info', `replaced a child: ${reason}`, { pid: child.process.pid });
    } catch (error) {
      log('error', 'no fresh child; the old one stays', describe(error));
    } finally {
      this.#waiting.delete(child);
    }
  }

  async #replace(child: Child): Promise<{ left: Promise<unknown> } | null> {
    const { children, serial, admit, drainTimeoutMs, onChange } = this.#options;
    const replaced = await serial.run(() => children.replaceOne(child, admit, drainTimeoutMs));
    onChange();
    return replaced;
  }
}
