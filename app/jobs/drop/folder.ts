import { randomBytes } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { messageOf } from '../../errors.ts';
import type { Drain, Stay } from '../../handover/index.ts';
import type { Logger } from '../../log.ts';
import { Maildir, type Claim } from './maildir.ts';

/** inotify tells of new files at once; this look is for files that are due again, dead workers, and where it cannot. */
const LOOK_MS = 10_000;
const STALE_MS = 60_000;
const MAX_TRIES = 5;
const FIRST_RETRY_MS = 5000;

/** Does what a file asks for; rejects when it cannot. Once `signal` is aborted it must begin nothing. */
export type FileWork = (name: string, text: string, signal: AbortSignal) => Promise<void>;

export interface DropFolderOptions {
  folder: string;
  work: FileWork;
  log: Logger;
  /** Milliseconds between looks, and after which a claim is stale; tests are in a hurry. */
  lookMs?: number;
  staleMs?: number;
  firstRetryMs?: number;
}

/** Works on the files of a drop folder, one at a time, while it is open. */
export class DropFolder implements Stay {
  readonly #options: Required<DropFolderOptions>;
  readonly #maildir: Maildir;
  readonly #cut = new AbortController();
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | null = null;
  #again = false;
  #leaving = false;
  #drained = { answered: 0, cut: 0 };
  /** Files taken. */
  requests = 0;
  /** Files worked on now: 0 or 1. */
  connections = 0;

  constructor(options: DropFolderOptions) {
    this.#options = { lookMs: LOOK_MS, staleMs: STALE_MS, firstRetryMs: FIRST_RETRY_MS, ...options };
    const owner = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
    this.#maildir = new Maildir({ folder: options.folder, owner, staleMs: this.#options.staleMs });
  }

  async open(): Promise<void> {
    await this.#maildir.prepare();
    const look = (): void => this.#look();
    try {
      this.#watcher = watch(this.#maildir.incoming, look);
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // No inotify instance left: the timer carries it.
    }
    this.#timer = setInterval(look, this.#options.lookMs);
    look();
  }

  async adopt(): Promise<void> {} // files know no connections

  /** Takes no more files and finishes the one it works on; at the deadline that goes back to `new/`. */
  async drain(deadlineMs: number): Promise<Drain> {
    const start = performance.now();
    this.#leaving = true;
    this.#watcher?.close();
    clearInterval(this.#timer);
    const cut = setTimeout(() => this.#cut.abort(), deadlineMs);
    await this.#working;
    clearTimeout(cut);
    return { ms: Math.round(performance.now() - start), ...this.#drained };
  }

  /** Works until nothing is to be done; news that come meanwhile make it look once more. */
  #look(): void {
    if (this.#leaving) return;
    this.#again = true;
    this.#working ??= this.#work()
      .catch((error: unknown) =>
        this.#options.log.error({ reason: messageOf(error) }, 'the drop folder cannot be read'),
      )
      .finally(() => (this.#working = null));
  }

  async #work(): Promise<void> {
    while (this.#again && !this.#leaving) {
      this.#again = false;
      const names = await this.#maildir.takeBack();
      if (names.length > 0) this.#options.log.warn({ names }, 'files of a dead worker are new again');
      let claim: Claim | null;
      while (!this.#leaving && (claim = await this.#maildir.claim())) await this.#process(claim);
    }
  }

  async #process(claim: Claim): Promise<void> {
    const { log, staleMs, firstRetryMs, work } = this.#options;
    const { signal } = this.#cut;
    this.requests += 1;
    this.connections = 1;
    const heart = setInterval(() => void this.#maildir.touch(claim).catch(() => {}), staleMs / 4);
    try {
      await work(claim.name, await readFile(claim.path, 'utf8'), signal);
      await this.#maildir.finish(claim);
      log.info({ file: claim.name }, 'file done');
    } catch (error) {
      if (signal.aborted) {
        this.#drained.cut += 1;
        return await this.#maildir.giveBack(claim);
      }
      const tries = claim.tries + 1;
      const retryAt = tries < MAX_TRIES ? Date.now() + firstRetryMs * 2 ** claim.tries : Infinity;
      const reason = messageOf(error);
      log.warn({ file: claim.name, tries, reason }, retryAt === Infinity ? 'file given up' : 'file failed');
      await this.#maildir.fail(claim, { tries, retryAt, reason });
    } finally {
      clearInterval(heart);
      this.connections = 0;
      if (this.#leaving && !signal.aborted) this.#drained.answered += 1;
    }
  }
}
