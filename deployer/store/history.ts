import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../events.ts';
import type { ProbeCount } from '../probe.ts';
import { parseLines } from './journal.ts';

/** One finished deploy or rollback. */
export interface HistoryEntry {
  version: 1;
  /** When it ended. */
  at: string;
  command: string;
  release: string;
  image: string;
  /** What the name of the image meant then. */
  imageId: string | null;
  /** By which a registry gives this image again; null for one that was built here. */
  digest: string | null;
  /** The git revision the image says it was built from. */
  revision: string | null;
  by: string;
  from: string | null;
  /** The image of `from`; what a rollback to it deploys once it is no longer parked. */
  fromImage: string | null;
  fromImageId: string | null;
  outcome: Outcome;
  ms: number;
  /** Milliseconds from the start to the first answer of the new release; null when it never served. */
  servingMs: number | null;
  steps: { id: string; ms: number }[];
  probe: ProbeCount | null;
  error: string | null;
  /** The file that tells all of this run; null when it could not be written. */
  report: string | null;
}

const FILE = 'history.jsonl';

/** The command of a handover of the proxy, which is no release of the app. */
export const PROXY_COMMAND = 'proxy';

/** Lines of earlier versions know less. */
const UNKNOWN = {
  imageId: null,
  digest: null,
  revision: null,
  from: null,
  fromImage: null,
  fromImageId: null,
  servingMs: null,
  steps: [],
  probe: null,
  error: null,
  report: null,
};

/** Adds one line, in one write; a line that a crash has torn is ended first, so that it takes no other with it. */
export async function appendHistory(folder: string, entry: HistoryEntry): Promise<void> {
  const file = join(folder, FILE);
  const torn = !(await readFile(file, 'utf8').catch(() => '\n')).endsWith('\n');
  await appendFile(file, `${torn ? '\n' : ''}${JSON.stringify(entry)}\n`, { flush: true });
}

/** All entries, oldest first. Lines that are torn, or are no entries, are left out. */
export async function readHistory(folder: string): Promise<HistoryEntry[]> {
  const lines = parseLines<unknown>(await readFile(join(folder, FILE), 'utf8').catch(() => ''));
  return lines.filter(isEntry).map((line) => ({ ...UNKNOWN, ...line }));
}

/** Those of the app alone, which can be gone back to and whose images grow old. */
export async function readReleases(folder: string): Promise<HistoryEntry[]> {
  return (await readHistory(folder)).filter(({ command }) => command !== PROXY_COMMAND);
}

function isEntry(line: unknown): line is HistoryEntry {
  const { at, command, release, image, outcome, by } = (line ?? {}) as Record<string, unknown>;
  return [at, command, release, image, outcome, by].every((value) => typeof value === 'string');
}
