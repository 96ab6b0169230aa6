import type { Columns } from './columns.ts';
import { KINDS } from './options.ts';
import type { Interval, Latency, LoadReport } from './options.ts';

const SHOWN_FAILURES = 50;
type Summary = Omit<
  LoadReport,
  'run' | 'target' | 'skipped' | 'idleCloses' | 'extraResponses' | 'files' | 'intervals'
>;

/** Condenses the columns of a finished run. `endMs` is when sending ended, since the start. */
export function summarise(columns: Columns, endMs: number): Summary {
  const totals: Summary = {
    seconds: Math.round(endMs / 10) / 100,
    sent: columns.rows,
    answered: 0,
    failed: 0,
    perSecond: 0,
    updates: { sent: 0, acknowledged: 0 },
    byKind: {},
    byRelease: {},
    byConnection: {},
    byError: {},
    latency: quickLatency(columns, 0, Infinity),
    longestGap: longestGap(completions(columns), 0, endMs),
    failures: [],
  };
  for (let row = 0; row < columns.rows; row++) addRow(totals, columns, row);
  totals.perSecond = Math.round(totals.answered / Math.max(totals.seconds, 0.001));
  return totals;
}

/** The time between each mark and the next; the first interval, before any mark, is called `start`. */
export function intervals(
  columns: Columns,
  marks: { label: string; atMs: number }[],
  endMs: number,
): Interval[] {
  const all = [{ label: 'start', atMs: 0 }, ...marks];
  const done = completions(columns);
  const list = all.map(({ label, atMs }, i) => {
    const until = all[i + 1]?.atMs ?? endMs;
    const gap = longestGap(done, atMs, until).ms;
    const latency = quickLatency(columns, atMs, all[i + 1] === undefined ? Infinity : until);
    return { label, atMs: Math.round(atMs), sent: 0, failed: 0, latency, longestGapMs: gap };
  });
  for (let row = 0; row < columns.rows; row++) {
    const start = columns.start[row]!;
    let i = all.length - 1;
    while (i > 0 && all[i]!.atMs > start) i--;
    list[i]!.sent++;
    if (columns.isFailed(row)) list[i]!.failed++;
  }
  return list;
}

function addRow(totals: Summary, columns: Columns, row: number): void {
  const failed = columns.isFailed(row);
  const kind = (totals.byKind[KINDS[columns.kind[row]!]!] ??= { sent: 0, failed: 0 });
  const connection = (totals.byConnection[columns.connection(row)] ??= { sent: 0, failed: 0 });
  kind.sent++;
  connection.sent++;
  if (columns.isUpdate(row)) totals.updates.sent++;
  if (failed) {
    kind.failed++;
    connection.failed++;
    totals.failed++;
    const error = columns.errors.list[columns.error[row]!]!;
    totals.byError[error] = (totals.byError[error] ?? 0) + 1;
    if (totals.failures.length < SHOWN_FAILURES) totals.failures.push(columns.record(row));
  } else {
    totals.answered++;
    if (columns.isUpdate(row)) totals.updates.acknowledged++;
  }
  // No status: nobody answered, so no release did.
  if (columns.status[row] === 0) return;
  const name = columns.releases.list[columns.release[row]!]!;
  const ended = Math.round(columns.start[row]! + columns.latency[row]!);
  const release = (totals.byRelease[name] ??= { answered: 0, failed: 0, firstMs: ended, lastMs: ended });
  if (failed) release.failed++;
  else release.answered++;
  release.firstMs = Math.min(release.firstMs, ended);
  release.lastMs = Math.max(release.lastMs, ended);
}

/** Latencies of the quick kinds that were answered and started in the interval. */
function quickLatency(columns: Columns, fromMs: number, untilMs: number): Latency {
  const found = new Float32Array(columns.rows);
  let count = 0;
  for (let row = 0; row < columns.rows; row++) {
    const start = columns.start[row]!;
    if (start < fromMs || start >= untilMs || columns.isFailed(row)) continue;
    if (KINDS[columns.kind[row]!]!.startsWith('slow')) continue;
    found[count++] = columns.latency[row]!;
  }
  if (count === 0) return { p50: 0, p99: 0, max: 0 };
  const sorted = found.subarray(0, count).toSorted();
  const at = (share: number): number => Math.round(sorted[Math.floor((count - 1) * share)]! * 100) / 100;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** When good answers came to their end, in order. */
function completions(columns: Columns): Float64Array {
  const ends = new Float64Array(columns.rows);
  let count = 0;
  for (let row = 0; row < columns.rows; row++) {
    if (!columns.isFailed(row)) ends[count++] = columns.start[row]! + columns.latency[row]!;
  }
  return ends.subarray(0, count).toSorted();
}

function longestGap(ends: Float64Array, fromMs: number, untilMs: number): { ms: number; atMs: number } {
  let last = fromMs;
  let gap = { ms: 0, atMs: fromMs };
  const see = (at: number): void => {
    if (at - last > gap.ms) gap = { ms: at - last, atMs: last };
    last = at;
  };
  for (const end of ends) if (end >= fromMs && end <= untilMs) see(end);
  see(untilMs);
  return { ms: Math.round(gap.ms * 10) / 10, atMs: Math.round(gap.atMs) };
}
