import { watch } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReleaseRecord } from './protocol.ts';

const FILE = 'record.json';
const MAX_KNOWN = 20;
/** inotify tells at once; this poll only covers file systems and limits where it cannot. */
const POLL_MS = 1000;

/** The release of a container that Compose made without the deployer. */
export const INITIAL_RELEASE = 'initial';

/** The boot rules of docs/contract.md. `claim` means: serve, and write the record. */
export function decideAtBoot(record: ReleaseRecord | null, release: string): 'claim' | 'serve' | 'standby' {
  if (!record) return 'claim';
  return record.serving === release ? 'serve' : 'standby';
}

/**
 * Whether an instance may answer in place of the release that serves while that is dead and the engine starts it again: one
 * that has served before, so that nobody meets a release that was not admitted.
 */
export function mayStandIn(release: string, record: ReleaseRecord | null): boolean {
  return record !== null && record.serving !== release && record.known.includes(release);
}

/** The record after `release` takes over. */
export function succeed(record: ReleaseRecord | null, release: string, now: Date): ReleaseRecord {
  const before = record ? [record.serving, ...record.known] : [];
  const known = [...new Set(before)].filter((id) => id !== release).slice(0, MAX_KNOWN);
  return { version: 1, serving: release, known, at: now.toISOString() };
}

/** Reads the record; null when there is none. A record that cannot be understood is an error, not "none". */
export async function readRecord(dir: string): Promise<ReleaseRecord | null> {
  let text: string;
  try {
    text = await readFile(join(dir, FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const value = JSON.parse(text) as ReleaseRecord;
  if (value.version !== 1 || typeof value.serving !== 'string' || !Array.isArray(value.known)) {
    throw new Error(`${join(dir, FILE)} is not a release record of version 1`);
  }
  return value;
}

/** Replaces the record in one step: temporary file, fsync, rename, fsync of the folder. */
export async function writeRecord(dir: string, record: ReleaseRecord): Promise<void> {
  const temporary = join(dir, `.${FILE}.${process.pid}.${Math.random().toString(36).slice(2)}`);
  const file = await open(temporary, 'w', 0o644);
  try {
    await file.writeFile(`${JSON.stringify(record)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(dir, FILE));
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes that `release` serves; gives the record as it is then. */
export async function takeOver(dir: string, release: string): Promise<ReleaseRecord> {
  const record = succeed(await readRecord(dir), release, new Date());
  await writeRecord(dir, record);
  return record;
}

/** Calls `onChange` soon after every change of the record; the reader compares, so a spurious call does no harm. */
export function watchRecord(dir: string, onChange: () => void): () => void {
  const poll = setInterval(onChange, POLL_MS);
  poll.unref();
  let close = (): void => {};
  try {
    const watcher = watch(dir, (_event, name) => {
      if (name === FILE) onChange();
    });
    watcher.on('error', () => watcher.close());
    watcher.unref();
    close = () => watcher.close();
  } catch {
    // No inotify instance left: the poll carries it.
  }
  return () => {
    clearInterval(poll);
    close();
  };
}
