import { RUN_DIR } from '../contract.ts';
import { DeployError } from '../errors.ts';
import type { Engine } from './docker.ts';
import { outputOf, runInside } from './inside.ts';

/** Where the releases stand that the proxy sends to, one in a line: the first gets all, the next ones while it is dead. */
const FILE = `${RUN_DIR}/upstream`;
/** Before the name of a container that gets none, though its release does: it is about to go. */
const NOT = '!';
/** In the proxy's container: see proxy/common/upstream.sh. */
const SCRIPT = '/etc/proxy-common/upstream.sh';

/** Which releases the proxy sends to, where each has an address of its own (`strategy: upstream`). */
export class Route {
  readonly #engine: Engine;
  readonly #project: string;
  readonly #proxy: string;
  readonly #pod: string;
  /** What goes by an older list has been waited for in vain. */
  #isLate = false;

  constructor(engine: Engine, of: { project: string; proxy: string; pod: string }) {
    this.#engine = engine;
    this.#project = of.project;
    this.#proxy = of.proxy;
    this.#pod = of.pod;
  }

  /** The list; empty when nobody has written one yet. */
  async read(): Promise<string[]> {
    const text = (await this.#engine.readFile(this.#pod, FILE)) ?? '';
    return text.split('\n').filter((line) => line && !line.startsWith(NOT));
  }

  /** Has the proxy send to these; resolves once it does so with all of its workers. The list outlives every container. */
  async lead(releases: string[]): Promise<void> {
    await this.#write(releases);
    await this.#switch();
  }

  /** Before containers of the first on the list are started: they get no request until `lead` is called. */
  async withhold(ids: string[]): Promise<void> {
    await this.#write([...(await this.read()), ...ids.map(notThis)]);
  }

  /**
   * Before a container is stopped: waits until no request is with it, at most so many milliseconds. One of a release that stays in
   * service beside it is taken off the list first; who was shown another by a link is shown it no more. False when something in the
   * proxy still goes by an older list then.
   */
  async release({ id, release }: { id: string; release: string }, ms: number): Promise<boolean> {
    const releases = await this.read();
    if (release === releases[0]) {
      await this.#write([...releases, notThis(id)]);
      await this.#switch();
    } else
      await runInside(this.#engine, this.#pod, ['sh', '-c', `rm -f ${RUN_DIR}/preview/${release}_*.open`]);
    return await this.left(ms);
  }

  async #write(lines: string[]): Promise<void> {
    const put = `cat > ${FILE}.new && mv ${FILE}.new ${FILE}`; // the proxy sees all of it or none
    await runInside(this.#engine, this.#pod, ['sh', '-euc', put], `${lines.join('\n')}\n`);
  }

  async #switch(): Promise<void> {
    this.#isLate = false;
    for (const id of await this.#proxies()) await runInside(this.#engine, id, [SCRIPT, 'switch']);
  }

  /** Waits until nothing in the proxy goes by an older list; false when something still does after so many milliseconds. */
  async left(ms: number): Promise<boolean> {
    if (this.#isLate) return false; // and once is enough
    const seconds = String(Math.ceil(ms / 1000));
    const wait = async (id: string): Promise<string> =>
      await outputOf(this.#engine, id, [SCRIPT, 'left', seconds], ms + 10_000);
    const said = await Promise.all((await this.#proxies()).map(wait));
    this.#isLate = !said.every((word) => word === 'left');
    return !this.#isLate;
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

/** By a name that Docker gives each container. */
function notThis(id: string): string {
  return `${NOT}${id.slice(0, 12)}`;
}
