import { rmSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import type { Children } from './children.ts';
import type { Child } from './handle.ts';
import { HandoverError } from './protocol.ts';
import { Serial } from './serial.ts';

const FOLDER = 'preview';
const TOKEN = /^[A-Za-z0-9_-]{16,64}$/;

/**
 * The door by which a release is looked at through the proxy before its users meet it: a socket in the run folder that is
 * named after a secret token. The proxy connects to the socket of the token that a request carries, and keeps no list.
 * This is the supervisor's side: one child answers, and one that replaces a child takes the socket over.
 */
export class PreviewDoor {
  readonly #children: Children;
  readonly #runDir: string | undefined;
  readonly #serial = new Serial(() => {}); // who asked is told
  #path: string | null = null;

  constructor(children: Children, runDir: string | undefined) {
    this.#children = children;
    this.#runDir = runDir;
  }

  get isOpen(): boolean {
    return this.#path !== null;
  }

  /** Lets whoever knows the token look at this instance through the proxy; null ends it. */
  async show(token: unknown): Promise<void> {
    const path = token === null ? null : await previewSocket(this.#runDir, token);
    await this.#serial.run(async () => await (path ? this.#open(path) : this.close()));
  }

  async #open(path: string): Promise<void> {
    if (this.#path !== path) await this.close();
    const [child] = this.#children.alive;
    if (!child) throw new HandoverError('NO_CHILD', 'no child is ready');
    await child.ask({ do: 'preview', path });
    this.#path = path;
  }

  /** For a child that joins: whichever was told last is behind the socket. */
  async join(child: Child): Promise<void> {
    if (this.#path) await child.ask({ do: 'preview', path: this.#path });
  }

  async close(): Promise<void> {
    if (!this.#path) return;
    this.remove();
    await this.#children.askAll({ do: 'preview', path: null });
  }

  /** Takes the name away at once; the children that answer under it end soon. */
  remove(): void {
    if (this.#path) rmSync(this.#path, { force: true });
    this.#path = null;
  }
}

/** The path of a token's socket, its folder made, and cleared of sockets behind which nobody is any more. */
async function previewSocket(runDir: string | undefined, token: unknown): Promise<string> {
  if (!runDir) throw new HandoverError('NO_RUN_DIR', 'without a run folder no proxy finds a preview');
  if (typeof token !== 'string' || !TOKEN.test(token))
    throw new HandoverError('BAD_TOKEN', 'a token is 16 to 64 letters, digits, - and _');
  const folder = join(runDir, FOLDER);
  // The proxy, another user, goes through the folder to a name that it was told; it cannot read the names.
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const paths = (await readdir(folder)).map((name) => join(folder, name));
  await Promise.all(paths.map(async (path) => (await inUse(path)) || (await rm(path, { force: true }))));
  return join(folder, `${token}.sock`);
}

/** Whether somebody listens on a unix socket. */
export function inUse(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** A child's side: the server behind the socket. */
export class PreviewServer {
  readonly #listener: http.RequestListener;
  #server: http.Server | null = null;

  constructor(listener: http.RequestListener) {
    this.#listener = listener;
  }

  /** Takes the name over from whoever has it, by rename: between the two there is no moment without one. */
  async open(path: string): Promise<void> {
    this.close();
    const server = http.createServer(this.#listener);
    const own = `${path}.${process.pid}`; // a server that closes removes the name it was bound to, and no other's
    rmSync(own, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // To connect takes the right to write, and the proxy is another user.
      server.listen({ path: own, readableAll: true, writableAll: true }, resolve);
    });
    await rename(own, path);
    this.#server = server;
  }

  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = null;
  }
}
