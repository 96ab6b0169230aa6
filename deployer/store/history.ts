import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../events.ts';
import type { ProbeCount } from '../probe.ts';
import { parseLines } from './journal.ts';

/** One finished deploy or rollback. */
export interface HistoryEntry {
  version: 1;
  at: string;
  command: string;
  release: string;
  image: string;
  imageId: string | null;
  by: string;
  from: string | null;
  /** The image of `from`; what a rollback to it deploys once it is no longer parked. */
  fromImage: string | null;
  /** Absent in lines of earlier versions. */
  fromImageId?: string | null;
  outcome: Outcome;
  ms: number;
  /** Milliseconds from the start to the first answer of the new release; null when it never served. */
  servingMs: number | null;
  steps: { id: string; ms: number }[];
  probe: ProbeCount | null;
  error: string | null;
}

const FILE = 'history.jsonl';

/** Adds one line, in one write; a line that a crash has torn is ended first, so that it takes no other with it. */
export async function appendHistory(folder: string, entry: HistoryEntry): Promise<void> {
  const file = join(folder, FILE);
  const torn = !(await readFile(file, 'utf8').catch(() => '\n')).endsWith('\n');
  await appendFile(file, `${torn ? '\n' : ''}${JSON.stringify(entry)}\n`, { flush: true });
}

/** All entries, oldest first. */
export async function readHistory(folder: string): Promise<HistoryEntry[]> {
  return parseLines<HistoryEntry>(await readFile(join(folder, FILE), 'utf8').catch(() => ''));
}
