import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { docker } from '../../support/containers.ts';
import { parseNetstat } from '../../support/load/kernel.ts';
import { PEERS_IMAGE } from './images.ts';
import { nginxConf, type Protocol } from './nginx.ts';
import { LABEL, type Run, type Site, type Way } from './way.ts';

/** A row whose server runs in one container, as on a host of its own, and is reloaded by commands typed there. */
export interface BoxWay {
  name: string;
  title: string;
  /** What nginx speaks with the server on the loopback. */
  protocol: Protocol;
  /** Shell commands, with peers/functions.sh at hand: start the first version in the background, and reload. */
  start: string;
  reload: string;
  /** Where nginx finds the first version, when not at 3000. */
  firstPort?: number;
  sysctls?: string[];
  /** nginx's `keepalive_min_timeout`, for rows that reload nginx. */
  keepaliveMin?: string;
}

/** Four workers that each wait out a mercy of 60 s, and more. */
const RELOAD_MS = 600_000;

export function box(way: BoxWay): Way {
  return { name: way.name, title: way.title, up: async (run) => await Box.up(way, run) };
}

class Box implements Site {
  url = '';
  readonly #way: BoxWay;
  readonly #name: string;

  private constructor(way: BoxWay, name: string) {
    this.#way = way;
    this.#name = name;
  }

  static async up(way: BoxWay, { id, dir }: Run): Promise<Box> {
    const one = new Box(way, id);
    try {
      await writeFile(join(dir, 'nginx.conf'), nginxConf(way.protocol, way.keepaliveMin));
      await writeFile(
        join(dir, 'upstream.conf'),
        `server 127.0.0.1:${way.firstPort ?? 3000}; keepalive 0;\n`,
      );
      const sysctls = (way.sysctls ?? []).flatMap((sysctl) => ['--sysctl', sysctl]);
      const common = ['run', '--detach', '--label', `${LABEL}=${id}`, '--volume', `${dir}:/ways`];
      await docker([...common, '--init', '--name', id, ...sysctls, PEERS_IMAGE, 'sleep', 'infinity']);
      await docker(['exec', '--detach', ...one.#words(way.start, 1)]);
      const shared = ['--network', `container:${id}`, '--pid', `container:${id}`, '--entrypoint', 'nginx'];
      await docker([...common, '--name', `${id}-nginx`, ...shared, 'nginx:1.30', '-c', '/ways/nginx.conf']);
      const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
      one.url = `http://${(await docker(['inspect', '--format', format, id])).trim()}`;
      return one;
    } catch (error) {
      await one[Symbol.asyncDispose]();
      throw error;
    }
  }

  async reload(n: number): Promise<void> {
    await docker(['exec', ...this.#words(this.#way.reload, n)], RELOAD_MS);
  }

  async kernel() {
    return parseNetstat(await docker(['exec', this.#name, 'cat', '/proc/net/netstat']));
  }

  async log(): Promise<string> {
    return await docker(['exec', this.#name, 'tail', '-n', '60', '/run/ways/log']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await docker(['rm', '--force', '--volumes', `${this.#name}-nginx`, this.#name]);
  }

  #words(script: string, n: number): string[] {
    const whole = `exec >> /run/ways/log 2>&1 < /dev/null; . /srv/functions.sh; ${script}`;
    return ['--env', `N=${n}`, this.#name, 'bash', '-c', whole];
  }
}
