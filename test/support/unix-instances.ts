import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import { HostInstance } from './instance.ts';

/** Instances on this machine that share the name of a unix socket, in a folder of its own for each test of a suite. */
export class UnixInstances {
  dir = '';
  /** The name that goes from one to the next. */
  name = '';
  #running: HostInstance[] = [];

  /** To be called in a suite: ends what its tests have started. */
  static ofSuite(): UnixInstances {
    const all = new UnixInstances();
    beforeEach(async () => {
      all.dir = await mkdtemp(join(tmpdir(), 'tasuki-unix-'));
      all.name = join(all.dir, 'app.sock');
      all.#running = [];
    });
    afterEach(async () => {
      await Promise.all(all.#running.map((one) => one[Symbol.asyncDispose]()));
      await rm(all.dir, { recursive: true, force: true });
    });
    return all;
  }

  start(release: string, env: Record<string, string> = {}): HostInstance {
    const one = new HostInstance(this.dir, 1, release, { LISTEN: `unix:${this.name}`, ...env }, 'echo');
    this.#running.push(one);
    return one;
  }
}
