import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readLedger } from '../support/ledger.ts';
import type { Ledger, Row } from '../support/ledger.ts';
import { Columns } from '../support/load/columns.ts';
import { writeFiles } from '../support/load/files.ts';
import { assertLoad, judge } from '../support/load/index.ts';
import type { LoadReport } from '../support/load/index.ts';
import { KINDS } from '../support/load/options.ts';
import { summarise } from '../support/load/report.ts';

const RUN = 'run-0badcafe';
const UPDATE = KINDS.indexOf('update');
const HOME = KINDS.indexOf('home');

/** A run of one request per entry, 10 ms apart; the entry is its error, '' for none. */
async function reportOf(updates: string[], homes: string[] = []): Promise<LoadReport> {
  const columns = new Columns(RUN);
  const add = (kind: number, error: string): void => {
    const row = columns.open(kind, false, columns.rows * 10);
    const status = error === '' ? 200 : 0;
    columns.close(row, row * 10 + 5, { status, error, bytes: 2, release: 'r1', reused: true });
  };
  for (const error of updates) add(UPDATE, error);
  for (const error of homes) add(HOME, error);
  const files = await writeFiles(columns, await mkdtemp(join(tmpdir(), 'tasuki-judge-')), true);
  const extra = { skipped: 0, idleCloses: 0, extraResponses: 0, intervals: [] };
  const summary = summarise(columns, columns.rows * 10);
  return { run: RUN, target: 'http://127.0.0.1', ...summary, ...extra, files };
}

/** The ledger of a table with these request numbers, in this order; `cut` have lost a part of their text. */
async function ledgerOf(
  report: LoadReport,
  numbers: (number | string)[],
  cut: number[] = [],
): Promise<Ledger> {
  const rows: Row[] = numbers.map((number, seq) => ({ seq, id: `${RUN}-${number}` }));
  return readLedger(async (sql) => {
    if (sql.includes('LEFT(text')) return cut.map((number) => ({ id: `${RUN}-${number}` }));
    const after = Number(/seq > (-?\d+)/.exec(sql)![1]);
    return rows.filter((row) => Number(row.seq) > after);
  }, report);
}

void test('a run in which every update is in the ledger once is ok', async () => {
  const report = await reportOf(['', '', ''], ['']);
  const judgement = judge(report, await ledgerOf(report, [2, 0, 1]));
  assert.equal(judgement.ok, true);
  assert.match(judgement.summary, /sent 4 .* failed 0 · duplicated 0 · missing 0 · lost 0/);
});

void test('a failed request without a side effect spoils the run', async () => {
  const report = await reportOf([''], ['', 'ECONNRESET']);
  const judgement = judge(report, await ledgerOf(report, [0]));
  assert.equal(judgement.ok, false);
  assert.deepEqual(
    judgement.failed.map(({ id, kind, error }) => ({ id, kind, error })),
    [{ id: `${RUN}-2`, kind: 'home', error: 'ECONNRESET' }],
  );
});

void test('an acknowledged update that the ledger does not have is missing', async () => {
  const report = await reportOf(['', '', '']);
  const judgement = judge(report, await ledgerOf(report, [0, 2]));
  assert.equal(judgement.ok, false);
  assert.deepEqual(judgement.missing, [`${RUN}-1`]);
});

void test('an update that was executed twice is duplicated, acknowledged or not', async () => {
  const report = await reportOf(['', '', 'truncated']);
  const judgement = judge(report, await ledgerOf(report, [0, 1, 2, 1, 2, 2]));
  assert.equal(judgement.ok, false);
  assert.deepEqual(judgement.duplicated, [`${RUN}-1 executed 2 times`, `${RUN}-2 executed 3 times`]);
});

void test('an update that failed is lost when it was not executed, and told apart when it was', async () => {
  const report = await reportOf(['', 'ECONNRESET', 'truncated']);
  const ledger = await ledgerOf(report, [0, 2]);
  assert.deepEqual(ledger.unacknowledged, [
    { id: `${RUN}-1`, error: 'ECONNRESET', executed: false },
    { id: `${RUN}-2`, error: 'truncated', executed: true },
  ]);
  assert.deepEqual(judge(report, ledger).lost, [`${RUN}-1`]);
});

void test('an update with other content, and one that nobody sent, spoil the run', async () => {
  const report = await reportOf(['', ''], ['']);
  const ledger = await ledgerOf(report, [0, 1, 2, 99, 'x'], [1]);
  assert.deepEqual(ledger.corrupted, [`${RUN}-1`]);
  // Number 2 was sent, but as a GET.
  assert.deepEqual(ledger.strangers.toSorted(), [`${RUN}-2`, `${RUN}-99`, `${RUN}-x`]);
  assert.equal(judge(report, ledger).ok, false);
});

void test('a response that nobody asked for spoils the run', async () => {
  const report = { ...(await reportOf([''])), extraResponses: 1 };
  const judgement = judge(report, await ledgerOf(report, [0]));
  assert.equal(judgement.ok, false);
  assert.deepEqual(judgement.duplicated, ['1 unasked responses']);
});

void test('a ledger of more rows than a page is read whole', async () => {
  const count = 120_001;
  const report = await reportOf(Array.from({ length: count }, () => ''));
  const pages: string[] = [];
  const ledger = await readLedger(async (sql) => {
    if (sql.includes('LEFT(text')) return [];
    pages.push(sql);
    const after = Number(/seq > (-?\d+)/.exec(sql)![1]);
    const limit = Number(/LIMIT (\d+)/.exec(sql)![1]);
    const length = Math.min(limit, count - 1 - after);
    return Array.from({ length }, (_, i) => ({ seq: after + 1 + i, id: `${RUN}-${after + 1 + i}` }));
  }, report);
  assert.equal(pages.length, 3);
  assert.equal(ledger.rows, count);
  assert.equal(judge(report, ledger).ok, true);
});

void test('a run with no load, or too little of it, is refused', async () => {
  const nothing = await reportOf([]);
  assert.equal(judge(nothing, null).ok, false);
  assert.throws(() => assertLoad(nothing, { atLeast: 0 }), /not one request was sent/);
  const unanswered = await reportOf(['ECONNREFUSED', 'ECONNREFUSED']);
  assert.throws(() => assertLoad(unanswered, { atLeast: 1 }), /not one of 2 requests was answered/);
  const few = await reportOf([''], ['', '']);
  assert.throws(() => assertLoad(few, { atLeast: 4 }), /sent 3 of at least 4/);
  assert.throws(() => assertLoad(few, { atLeast: 3, updates: 2 }), /1 of at least 2 updates/);
  assertLoad(few, { atLeast: 3, updates: 1 });
});

void test('the report finds the longest time without an answer', async () => {
  const report = await reportOf([], ['', '', 'timeout', 'timeout', '', '']);
  // Answers at 5, 15, 45 and 55 ms: the two that failed count as silence.
  assert.deepEqual(report.longestGap, { ms: 30, atMs: 15 });
  assert.equal(report.byRelease.r1?.answered, 4);
});
