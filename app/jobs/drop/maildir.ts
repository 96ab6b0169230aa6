import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a claimed file's name ends with, before its owner; Maildir's own mark, which no writer uses. */
const MARK = ':2,';
const ERROR = '.error';

/** A file that failed and rests, as it says beside it in `cur/<name>.error`. */
export interface Failure {
  tries: number;
  /** Unix time in milliseconds before which it is not tried again. */
  retryAt: number;
  reason: string;
}

/** A file that this owner, and nobody else, works on. */
export interface Claim {
  /** As its writer named it. */
  name: string;
  path: string;
  /** Former tries. */
  tries: number;
}

export interface MaildirOptions {
  folder: string;
  /** Different for every worker that ever was. */
  owner: string;
  /** A claimed file that was not touched for this long, in milliseconds, belongs to a dead worker. */
  staleMs: number;
}

/**
 * A folder others drop files into, after Maildir: they write `tmp/x` and rename it to `new/x`. A worker renames that to `cur/x:2,<owner>`,
 * and of several only one succeeds; while it works it touches the file. A file that failed rests as `cur/x:2,` until it is
 * tried again, and ends in `failed/` after too many tries. Every step is one rename, so a worker may die between any two.
 */
export class Maildir {
  readonly #options: MaildirOptions;

  constructor(options: MaildirOptions) {
    this.#options = options;
  }

  /** Makes the folders that are missing. */
  async prepare(): Promise<void> {
    for (const part of ['tmp', 'new', 'cur', 'failed'])
      await mkdir(join(this.#options.folder, part), { recursive: true });
  }

  /** Takes the first file that is new or due again; null when there is none. */
  async claim(now = Date.now()): Promise<Claim | null> {
    for (const name of (await readdir(this.#in('new'))).toSorted()) {
      if (name.startsWith('.')) continue;
      const claim = await this.#take(this.#in('new', name), name);
      if (claim) return claim;
    }
    for (const file of (await readdir(this.#in('cur'))).toSorted()) {
      if (!file.endsWith(MARK)) continue;
      const name = file.slice(0, -MARK.length);
      if (((await this.failure(name))?.retryAt ?? 0) > now) continue;
      const claim = await this.#take(this.#in('cur', file), name);
      if (claim) return claim;
    }
    return null;
  }

  /** Shows that the file is worked on; false when it was taken away meanwhile. */
  async touch(claim: Claim): Promise<boolean> {
    const now = new Date();
    return await succeeds(utimes(claim.path, now, now));
  }

  /** The file is done: it goes. */
  async finish(claim: Claim): Promise<void> {
    await rm(claim.path, { force: true });
    await rm(this.#errorOf(claim.name), { force: true });
  }

  /** The file rests in `cur/`, its error beside it, or for good in `failed/` when `failure.retryAt` is Infinity. */
  async fail(claim: Claim, failure: Failure): Promise<void> {
    const over = failure.retryAt === Infinity;
    const beside = over ? this.#in('failed', claim.name + ERROR) : this.#errorOf(claim.name);
    await writeFile(`${this.#in('tmp', claim.name)}${ERROR}`, `${JSON.stringify(failure)}\n`);
    await rename(`${this.#in('tmp', claim.name)}${ERROR}`, beside);
    const to = over ? this.#in('failed', claim.name) : this.#in('cur', claim.name + MARK);
    await succeeds(rename(claim.path, to)); // it may have been taken away meanwhile
    if (over) await rm(this.#errorOf(claim.name), { force: true });
  }

  /** Gives a file back that was not tried to the end; it costs no try. */
  async giveBack(claim: Claim): Promise<void> {
    await succeeds(rename(claim.path, this.#in('new', claim.name)));
  }

  /** Takes back what dead workers held; answers the names. */
  async takeBack(now = Date.now()): Promise<string[]> {
    const back: string[] = [];
    for (const file of await readdir(this.#in('cur'))) {
      const at = file.lastIndexOf(MARK);
      if (at < 0 || file.endsWith(MARK)) continue;
      const path = this.#in('cur', file);
      const touched = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => now,
      );
      if (now - touched <= this.#options.staleMs) continue;
      const name = file.slice(0, at);
      if (await succeeds(rename(path, this.#in('new', name)))) back.push(name);
    }
    return back;
  }

  /** Why a file failed last, or null. */
  async failure(name: string): Promise<Failure | null> {
    const text = await readFile(this.#errorOf(name), 'utf8').catch(() => null);
    return text === null ? null : (JSON.parse(text) as Failure);
  }

  /** The folder in which new files appear. */
  get incoming(): string {
    return this.#in('new');
  }

  async #take(from: string, name: string): Promise<Claim | null> {
    const path = this.#in('cur', name + MARK + this.#options.owner);
    const now = new Date();
    // Touched first: a claim is never older than its owner's last sign of life.
    if (!(await succeeds(utimes(from, now, now))) || !(await succeeds(rename(from, path)))) return null;
    return { name, path, tries: (await this.failure(name))?.tries ?? 0 };
  }

  #in(part: string, name = ''): string {
    return join(this.#options.folder, part, name);
  }

  #errorOf(name: string): string {
    return this.#in('cur', name + ERROR);
  }
}

/** False when the file is not there any more: somebody else was first. */
async function succeeds(step: Promise<void>): Promise<boolean> {
  try {
    await step;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
