import { closeSync, fdatasync, fsyncSync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployEvent } from '../events.ts';

type Entry = DeployEvent & { at: string };

/** What an interrupted run had reached; it only explains, the containers are the truth. */
export interface Interruption {
  command: string;
  release: string;
  image: string;
  at: string;
  /** The step it was in, or the last one it had finished. */
  step: string | null;
  finished: boolean;
}

const FILE = 'journal.jsonl';

/**
 * The journal of the run in progress: each intent before, each result after, one line each, written before the next thing
 * happens, so that a killed run has told all of it. The disk has it a moment later: nothing waits for that. A torn last line
 * is the only damage a power cut can do, and the reader drops it.
 */
export class Journal {
  readonly #fd: number;
  #syncing = false;
  #again = false;
  #closed = false;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Starts a new journal in place of the last one; an empty one tells of nothing. */
  static begin(folder: string): Journal {
    return new Journal(openSync(join(folder, FILE), 'w', 0o600));
  }

  write(event: DeployEvent): void {
    if (event.type === 'progress') return;
    writeSync(this.#fd, `${JSON.stringify({ at: new Date().toISOString(), ...event })}\n`);
    this.#sync();
  }

  close(): void {
    fsyncSync(this.#fd);
    this.#closed = true;
    if (!this.#syncing) closeSync(this.#fd);
  }

  /** One at a time; what is written meanwhile is for the next. */
  #sync(): void {
    if (this.#syncing) return void (this.#again = true);
    this.#syncing = true;
    this.#again = false;
    fdatasync(this.#fd, () => {
      this.#syncing = false;
      if (this.#closed) closeSync(this.#fd);
      else if (this.#again) this.#sync();
    });
  }
}

/** The last run, when it ended without an end. */
export async function readInterruption(folder: string): Promise<Interruption | null> {
  const entries = parseLines<Entry>(await readFile(join(folder, FILE), 'utf8').catch(() => ''));
  const begin = entries.find((entry) => entry.type === 'begin');
  if (!begin || entries.some((entry) => entry.type === 'end')) return null;
  const last = entries.findLast((entry) => entry.type === 'step');
  return {
    command: begin.command,
    release: begin.release,
    image: begin.image,
    at: begin.at,
    step: last?.id ?? null,
    finished: last?.status === 'done',
  };
}

/** JSON lines; lines that do not parse (torn by a crash) are left out. */
export function parseLines<T>(text: string): T[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line ? [JSON.parse(line) as T] : [];
    } catch {
      return [];
    }
  });
}
