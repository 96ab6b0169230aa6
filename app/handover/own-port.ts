import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isListened } from './names.ts';
import { Port } from './place.ts';

/** In the run folder: the releases that the proxy sends to, one in a line, the first before all others. */
const LIST = 'upstream';

export interface OwnPortOptions {
  host: string;
  port: number;
  release: string;
  runDir: string | undefined;
  /** The release that the record names. */
  serving: () => string | undefined;
}

/** A port in a network of its own: the proxy is told which release to go to, and finds it by its name. */
export class OwnPort extends Port {
  readonly #options: OwnPortOptions;

  constructor(options: OwnPortOptions) {
    super(options.host, options.port);
    this.#options = options;
  }

  override async isListened(): Promise<boolean> {
    const host = this.#options.serving();
    return host !== undefined && (await isListened({ host, port: this.address.port }));
  }

  /** A deployer that was killed has left the proxy here, and who leaves sends it back; it looks at the list once a second. */
  override async leave(): Promise<() => void> {
    const { release, runDir, serving } = this.#options;
    const meant = serving();
    if (!runDir || meant === undefined || meant === release) return () => {};
    const file = join(runDir, LIST);
    const list = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean);
    if (list[0] === release) {
      const others = list.filter((one) => ![release, meant].includes(one.replace('!', '')));
      await writeFile(`${file}.${process.pid}`, `${[meant, ...others].join('\n')}\n`);
      await rename(`${file}.${process.pid}`, file);
    }
    return () => {};
  }
}
