import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plan } from '../core/plan.ts';
import type { ErrorDetails, ExitCode } from '../errors.ts';
import type { DeployEvent } from '../events.ts';
import { replaceFile } from './env-file.ts';
import type { HistoryEntry } from './history.ts';

/** A step as it went; one that was tried again, or taken back, is there once for each time. */
export type ReportStep = Omit<Extract<DeployEvent, { type: 'step'; ms: number }>, 'type'>;

/** All of one run. `version` counts up when a reader of the older form would go wrong. */
export interface Report extends Omit<HistoryEntry, 'version' | 'steps' | 'error' | 'report'> {
  version: 1;
  type: 'report';
  project: string;
  exit: ExitCode;
  /** Null when the run ended before there was one. */
  plan: Plan | null;
  steps: ReportStep[];
  notices: string[];
  error: ErrorDetails | null;
}

const FOLDER = 'reports';
/** So many are kept, the newest. */
export const KEPT_REPORTS = 100;

/** Writes the report of a run, which is there whole or not at all; the oldest beyond 100 are removed. Gives its path. */
export async function writeReport(folder: string, report: Report): Promise<string> {
  const reports = join(folder, FOLDER);
  await mkdir(reports, { recursive: true, mode: 0o700 });
  const path = join(
    reports,
    `${report.release.replaceAll(/[^\w.-]/g, '_')}-${report.at.replaceAll(/[-:.]/g, '')}.json`,
  );
  await replaceFile(path, `${JSON.stringify(report, null, 2)}\n`);
  const names = (await readdir(reports)).filter((name) => name.endsWith('.json'));
  const old = names.toSorted((a, b) => timeOf(a).localeCompare(timeOf(b))).slice(0, -KEPT_REPORTS);
  await Promise.all(old.map((name) => rm(join(reports, name), { force: true })));
  return path;
}

/** Null when it is not kept any more, cannot be read, or is of a later version. */
export async function readReport(path: string): Promise<Report | null> {
  try {
    const report = JSON.parse(await readFile(path, 'utf8')) as Report;
    return report.version === 1 ? report : null;
  } catch {
    return null;
  }
}

/** The end of a report's name: a release may have been rolled back to years after its id was made. */
function timeOf(name: string): string {
  return name.slice(name.lastIndexOf('-') + 1);
}
