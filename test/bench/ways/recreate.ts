import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { docker } from '../../support/containers.ts';
import { PEERS_IMAGE } from './images.ts';
import { composeNginxConf } from './nginx.ts';
import { LABEL, type Run, type Site, type Way } from './way.ts';

const COMMAND_MS = 120_000;

/** nginx and gunicorn in a plain Compose project; a new version is another value in the environment, and `up -d`. */
function composeYaml(id: string): string {
  const common = { labels: { [LABEL]: id }, volumes: ['.:/ways'] };
  const proxy = { image: 'nginx:1.30', entrypoint: ['nginx', '-c', '/ways/nginx.conf'], ...common };
  const command = 'gunicorn --config /srv/gunicorn.conf.py --bind 0.0.0.0:3000';
  const app = { image: PEERS_IMAGE, command, environment: { VERSION: '${VERSION}' }, ...common };
  // JSON is YAML.
  return JSON.stringify({ name: id, services: { proxy, app } }, null, 1);
}

export const RECREATE: Way = {
  name: 'compose-up',
  title: '`docker compose up -d` with a new version',
  up: async (run) => await Recreated.up(run),
};

class Recreated implements Site {
  url = '';
  readonly #run: Run;

  private constructor(run: Run) {
    this.#run = run;
  }

  static async up(run: Run): Promise<Recreated> {
    const one = new Recreated(run);
    try {
      await writeFile(join(run.dir, 'nginx.conf'), composeNginxConf());
      await writeFile(join(run.dir, 'compose.yaml'), composeYaml(run.id));
      await one.reload(1);
      const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
      one.url = `http://${(await docker(['inspect', '--format', format, `${run.id}-proxy-1`])).trim()}`;
      return one;
    } catch (error) {
      await one[Symbol.asyncDispose]();
      throw error;
    }
  }

  async reload(n: number): Promise<void> {
    await this.#compose(n, 'up', '--detach');
  }

  async kernel(): Promise<null> {
    return null;
  }

  async log(): Promise<string> {
    return await this.#compose(0, 'logs', '--no-color', '--tail', '40');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#compose(0, 'down', '--volumes', '--timeout', '0');
  }

  async #compose(n: number, ...words: string[]): Promise<string> {
    const options = {
      cwd: this.#run.dir,
      env: { VERSION: String(n) },
      all: true,
      timeout: COMMAND_MS,
    } as const;
    return (await execa('docker', ['compose', ...words], { ...options, stdin: 'ignore' })).all;
  }
}
