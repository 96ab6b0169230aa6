import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Children } from './children.ts';
import type { Child } from './handle.ts';
import { HandoverError, type DoorName, type ServeOptions } from './protocol.ts';
import { Serial } from './serial.ts';

/** More than a turn of the event loop that is busy answering. */
export const LET_IN_MS = 100;

/**
 * A way to this instance beside the public port: a unix socket in the run folder, to which the proxy connects. This is the
 * supervisor's side: one child answers, and one that replaces a child takes the socket over.
 */
export class Door {
  readonly #name: DoorName;
  readonly #children: Children;
  readonly #serial = new Serial(() => {}); // who asked is told
  #path: string | null = null;

  constructor(name: DoorName, children: Children) {
    this.#name = name;
    this.#children = children;
  }

  get isOpen(): boolean {
    return this.#path !== null;
  }

  /** Opens the door at a path, in place of where it was; null shuts it. */
  lead(path: string | null): Promise<void> {
    return this.#serial.run(async () => {
      if (path === this.#path) return;
      if (this.#path) await this.#shut();
      if (!path) return;
      const [child] = this.#children.alive;
      if (!child) throw new HandoverError('NO_CHILD', 'no child is ready');
      await child.ask({ do: 'door', name: this.#name, path });
      this.#path = path;
    });
  }

  /** For a child that joins: whichever was told last is behind the socket. */
  async join(child: Child): Promise<void> {
    if (this.#path) await child.ask({ do: 'door', name: this.#name, path: this.#path });
  }

  /** Takes the name of a preview away at once; the children that answer under it end soon. */
  remove(): void {
    // That of the stand-in may be another instance's by now.
    if (this.#path && this.#name === 'preview') rmSync(this.#path, { force: true });
    this.#path = null;
  }

  async #shut(): Promise<void> {
    this.remove();
    await this.#children.askAll({ do: 'door', name: this.#name, path: null });
  }
}

/** A child's side: the server behind the socket. Every answer ends its connection: none is idle when the child leaves. */
export class DoorServer {
  readonly #listener: http.RequestListener;
  readonly #upgrade: ServeOptions['upgrade'];
  #open: http.Server | null = null;
  #emptied: Promise<unknown> = Promise.resolve();

  constructor(listener: http.RequestListener, upgrade: ServeOptions['upgrade']) {
    this.#upgrade = upgrade;
    this.#listener = (req, res) => {
      res.shouldKeepAlive = false;
      listener(req, res);
    };
  }

  /**
   * Takes the name over from whoever has it, by rename: between the two there is no moment without one. Nobody here removes
   * a name: it may be another instance's by then, and one without a server behind it lets nobody in either.
   */
  async open(path: string): Promise<void> {
    void this.close(0);
    const server = http.createServer(this.#listener);
    if (this.#upgrade) server.on('upgrade', this.#upgrade);
    // A server that closes removes the name it was bound to, which is then nobody's any more.
    const own = `${path}.${randomBytes(4).toString('hex')}`;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // To connect takes the right to write, and the proxy is another user.
      server.listen({ path: own, readableAll: true, writableAll: true }, resolve);
    });
    await rename(own, path);
    this.#open = server;
  }

  /** Lets nobody in any more, and gives those who are inside or at the door so many milliseconds; those of before too. */
  async close(deadlineMs: number): Promise<void> {
    const open = this.#open;
    this.#open = null;
    const before = this.#emptied;
    this.#emptied = Promise.all([before, open && this.#empty(open, deadlineMs)]);
    await this.#emptied;
  }

  async #empty(server: http.Server, deadlineMs: number): Promise<void> {
    // A listener that closes resets whom it has not let in yet. Hardly anybody comes any more, so they are soon all inside.
    await wait(LET_IN_MS);
    const late = setTimeout(() => server.closeAllConnections(), deadlineMs);
    await new Promise((resolve) => server.close(resolve));
    clearTimeout(late);
  }
}
