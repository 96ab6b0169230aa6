import type { Ledger } from '../ledger.ts';
import type { LoadReport, RequestRecord } from './options.ts';

/** What a run has proved. Lists may be cut to the first 50; the counts in `summary` are whole. */
export interface Judgement {
  /** Updates that failed at the client and were not executed either: the user's work is gone. */
  lost: string[];
  /** Updates executed more than once, and responses that nobody had asked for. */
  duplicated: string[];
  /** Acknowledged updates that the ledger does not have, or has with other content: a broken promise. */
  missing: string[];
  /** Requests without a proper answer. */
  failed: RequestRecord[];
  ok: boolean;
  /** One line for people. */
  summary: string;
}

/** Compares what clients saw with what the database holds. `ledger` is null for a target that keeps none. */
export function judge(report: LoadReport, ledger: Ledger | null): Judgement {
  const duplicated = ledger?.duplicated.map(({ id, times }) => `${id} executed ${times} times`) ?? [];
  if (report.extraResponses > 0) duplicated.push(`${report.extraResponses} unasked responses`);
  const missing = [...(ledger?.missing ?? []), ...(ledger?.corrupted ?? []), ...(ledger?.strangers ?? [])];
  const lost = ledger?.unacknowledged.filter((update) => !update.executed).map((update) => update.id) ?? [];
  const duplicates = (ledger?.counts.duplicated ?? 0) + report.extraResponses;
  const counts = ledger?.counts ?? { missing: 0, corrupted: 0, strangers: 0, lost: 0 };
  const absent = counts.missing + counts.corrupted + counts.strangers;
  const ok = report.sent > 0 && report.failed === 0 && duplicates === 0 && absent === 0 && counts.lost === 0;
  const errors = Object.entries(report.byError).map(([error, count]) => `${count} ${error}`);
  const summary = [
    `sent ${report.sent} in ${report.seconds} s (${report.perSecond}/s)`,
    `failed ${report.failed}${errors.length > 0 ? ` (${errors.join(', ')})` : ''}`,
    `duplicated ${duplicates}`,
    `missing ${absent}`,
    `lost ${counts.lost}`,
    `updates ${report.updates.acknowledged} acknowledged, ${ledger === null ? 'no ledger' : `${ledger.rows} in the ledger`}`,
    `p50 ${report.latency.p50} ms, p99 ${report.latency.p99} ms, longest gap ${report.longestGap.ms} ms`,
  ].join(' · ');
  return { lost, duplicated, missing, failed: report.failures, ok, summary };
}

/** Refuses a run that proves nothing because too little was sent, or because nothing was answered. */
export function assertLoad(report: LoadReport, minimum: { atLeast: number; updates?: number }): void {
  const { sent, answered, updates } = report;
  if (sent === 0) throw new Error('no load: not one request was sent');
  if (answered === 0) throw new Error(`no load: not one of ${sent} requests was answered`);
  if (sent < minimum.atLeast) throw new Error(`too little load: sent ${sent} of at least ${minimum.atLeast}`);
  const wanted = minimum.updates ?? 0;
  if (updates.acknowledged < wanted) {
    throw new Error(`too little load: ${updates.acknowledged} of at least ${wanted} updates acknowledged`);
  }
}
