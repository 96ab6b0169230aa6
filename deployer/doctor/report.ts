import type { ExitCode } from '../errors.ts';
import type { Finding, Level } from './check.ts';

const MARK: Record<Level, string> = { ok: 'ok', warn: 'warn', fail: 'fail', skipped: 'skip' };
const WIDTH = 6;

/** What became of one fix; `error` says why it was not done. */
export interface FixResult {
  id: string;
  what: string;
  error: string | null;
}

export interface Summary extends Record<Level, number> {
  fixed: number;
  exit: ExitCode;
}

/** A finding as lines: the mark and what was found, then what to do about it; what was skipped takes one line. */
export function findingLines({ level, found, advice }: Finding): string[] {
  const line = `${MARK[level].padEnd(WIDTH)}${found}`;
  if (level === 'skipped' && advice) return [`${line} -> ${advice}`];
  return advice ? [line, `${' '.repeat(WIDTH)}-> ${advice}`] : [line];
}

export function fixLine({ what, error }: FixResult): string {
  return error === null ? `fixed ${what}` : `not fixed: ${what}: ${error}`;
}

/** The last line. */
export function summaryLine({ ok, warn, fail, skipped, fixed }: Summary): string {
  const counts = [
    `${ok} ok`,
    `${warn} to look at`,
    `${fail} failed`,
    `${skipped} skipped`,
    ...(fixed ? [`${fixed} fixed`] : []),
  ];
  const verdict = fail
    ? 'not ready to deploy'
    : skipped
      ? 'no fault in what could be checked'
      : 'ready to deploy';
  return `${verdict}: ${counts.join(', ')}`;
}

/** A finding as one JSON object; of a fix only what can be written down. */
export function findingJson({ id, title, level, found, advice, fix }: Finding): string {
  return JSON.stringify({
    v: 1,
    type: 'finding',
    id,
    title,
    level,
    found,
    advice,
    fix: fix && { what: fix.what, safe: fix.safe },
  });
}

export function fixJson(result: FixResult): string {
  return JSON.stringify({ v: 1, type: 'fix', ...result });
}

export function summaryJson(summary: Summary): string {
  return JSON.stringify({ v: 1, type: 'summary', ...summary });
}

/** Counts the findings and decides the exit code: 1 when one of them is a failure. */
export function summarise(findings: Finding[], fixed: number): Summary {
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length;
  const fail = count('fail');
  return { ok: count('ok'), warn: count('warn'), fail, skipped: count('skipped'), fixed, exit: fail ? 1 : 0 };
}
