import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { docker, freePort, ROOT } from './containers.ts';

const COMMAND_MS = 300_000;

/** A project of somebody who knows nothing of tasuki (test/fixtures/newcomer), under a name and on a port of its own. */
export class Newcomer implements AsyncDisposable {
  readonly folder: string;
  readonly url: string;
  readonly #name = `n${process.pid}-${randomBytes(3).toString('hex')}`;
  /** What was typed so far, with the milliseconds that each took. */
  readonly typed: { command: string; ms: number }[] = [];

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Copies the files, as `edit` leaves compose.yaml, and commits them. */
  static async make(edit: (compose: string) => string = (text) => text): Promise<Newcomer> {
    const folder = await mkdtemp(join(tmpdir(), 'tasuki-newcomer-'));
    const port = await freePort();
    await cp(join(ROOT, 'test/fixtures/newcomer'), folder, { recursive: true });
    const file = join(folder, 'compose.yaml');
    await writeFile(file, edit((await readFile(file, 'utf8')).replace("'8080:", `'${port}:`)));
    return new Newcomer(folder, port);
  }

  /** Types a command in the folder, as a person would; one that fails is an error with all it said. */
  async type(command: string): Promise<string> {
    const start = performance.now();
    const { all } = await execa('sh', ['-c', command], {
      cwd: this.folder,
      all: true,
      timeout: COMMAND_MS,
      stdin: 'ignore',
      env: {
        PATH: `${join(ROOT, 'bin')}${delimiter}${process.env.PATH}`,
        COMPOSE_PROJECT_NAME: this.#name,
        TASUKI_STATE_DIR: join(this.folder, 'state'),
        GIT_AUTHOR_NAME: 'test',
        GIT_AUTHOR_EMAIL: 'test@example.test',
        GIT_COMMITTER_NAME: 'test',
        GIT_COMMITTER_EMAIL: 'test@example.test',
      },
    });
    this.typed.push({ command, ms: Math.round(performance.now() - start) });
    return all;
  }

  /** The next version of the app, in the editor. */
  async write(version: string): Promise<void> {
    await writeFile(join(this.folder, 'version.txt'), `${version}\n`);
  }

  /** The home page, and the release that answered by the proxy's word. */
  async home(): Promise<{ page: string; release: string | null }> {
    const response = await fetch(this.url, { signal: AbortSignal.timeout(5000) });
    return { page: await response.text(), release: response.headers.get('x-release') };
  }

  /** The containers of the project: names, ids, start times. */
  async containers(): Promise<string[]> {
    const ids = await this.#ids();
    const format = '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}';
    return (await docker(['inspect', '--format', format, ...ids])).split('\n').toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ids = await this.#ids();
    await docker(['rm', '-f', `${this.#name}-deploy-lock`, ...ids]).catch(() => {});
    await this.type('docker compose down -v --remove-orphans -t 5');
    const names = await docker(['images', '-q', '--filter', `reference=${this.#name}-*`]);
    const images = new Set(names.split('\n').filter(Boolean));
    if (images.size) await docker(['rmi', '-f', ...images]);
    await rm(this.folder, { recursive: true, force: true });
  }

  async #ids(): Promise<string[]> {
    const filter = `label=com.docker.compose.project=${this.#name}`;
    return (await docker(['ps', '-aq', '--no-trunc', '--filter', filter])).split('\n').filter(Boolean);
  }
}
