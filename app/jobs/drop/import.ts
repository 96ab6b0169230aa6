import { createHash } from 'node:crypto';
import type { Runs } from '../../db/jobs.ts';
import { addCheers, type CheerData } from '../kinds/cheer.ts';
import type { FileWork } from './folder.ts';

const MAX_TEXT = 280;
const NO_TAKES = { stalled: 0, retried: 0, handedBack: 0 };

/**
 * Imports a file of cheers: all of its lines or none. A file is known by its name and content, so one that comes back after its
 * worker died is not imported again, and the same lines under another name are.
 */
export function createImport(runs: Runs): FileWork {
  return async (name, text, signal) => {
    const cheers = parseCheers(text);
    const key = `file-${createHash('sha256').update(`${name}\0${text}`).digest('hex').slice(0, 40)}`;
    await runs.start(key, 'import', NO_TAKES);
    await runs.once(key, (sql) => addCheers(sql, key, cheers), signal);
  };
}

/** Lines of `team<tab>text`; the number of the team may be missing. Throws with the number of the first bad line. */
export function parseCheers(text: string): CheerData[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const [, team = '', cheer = ''] = /^(\d{0,5})\t(.+?)\r?$/.exec(line) ?? [];
    if (cheer.trim() === '') throw new Error(`line ${index + 1} is not "team<tab>text"`);
    if (cheer.length > MAX_TEXT) throw new Error(`line ${index + 1} has more than ${MAX_TEXT} characters`);
    return [{ team: team === '' ? null : Number(team), text: cheer.trim() }];
  });
}
