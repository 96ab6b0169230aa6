import { RUN_DIR } from '../contract.ts';
import { DeployError } from '../errors.ts';
import type { Engine } from './docker.ts';
import { outputOf, runInside } from './inside.ts';

/** Where the releases stand that the proxy sends to, one in a line: the first gets all, the next ones while it is dead. */
const FILE = `${RUN_DIR}/upstream`;
/** In the proxy's image: see proxy/nginx/13-upstream.sh. */
const SCRIPT = '/docker-entrypoint.d/13-upstream.sh';

/** Which releases the proxy sends to, where each has an address of its own (`strategy: upstream`). */
export class Route {
  readonly #engine: Engine;
  readonly #project: string;
  readonly #proxy: string;
  readonly #pod: string;

  constructor(engine: Engine, of: { project: string; proxy: string; pod: string }) {
    this.#engine = engine;
    this.#project = of.project;
    this.#proxy = of.proxy;
    this.#pod = of.pod;
  }

  /** The list; empty when nobody has written one yet. */
  async read(): Promise<string[]> {
    return ((await this.#engine.readFile(this.#pod, FILE)) ?? '').split('\n').filter(Boolean);
  }

  /** Has the proxy send to these; resolves once it does so with all of its workers. The list outlives every container. */
  async lead(releases: string[]): Promise<void> {
    const put = `cat > ${FILE}.new && mv ${FILE}.new ${FILE}`; // the proxy sees all of it or none
    await runInside(this.#engine, this.#pod, ['sh', '-euc', put], `${releases.join('\n')}\n`);
    for (const id of await this.#proxies()) await runInside(this.#engine, id, [SCRIPT, 'switch']);
  }

  /** Waits until nothing in the proxy goes by an older list; false when something still does after so many milliseconds. */
  async left(ms: number): Promise<boolean> {
    const seconds = String(Math.ceil(ms / 1000));
    const wait = async (id: string): Promise<string> =>
      await outputOf(this.#engine, id, [SCRIPT, 'left', seconds], ms + 10_000);
    const said = await Promise.all((await this.#proxies()).map(wait));
    return said.every((word) => word === 'left');
  }

  async #proxies(): Promise<string[]> {
    const all = await this.#engine.instances(this.#project, this.#proxy, '');
    const running = all.filter((one) => one.running).map(({ id }) => id);
    if (running.length) return running;
    throw new DeployError({
      code: 'NO_PROXY',
      what: `service "${this.#proxy}" does not run, so there is nobody to tell where the app is`,
      subject: this.#project,
      next: 'docker compose up -d   (x-deploy.proxy names the service)',
    });
  }
}
