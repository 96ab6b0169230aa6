import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertControl, per100k, summarise, table, type Round } from '../bench/ways/figures.ts';
import { Columns } from '../support/load/columns.ts';
import { KINDS } from '../support/load/options.ts';
import { intervals } from '../support/load/report.ts';

function round(change: Partial<Round> = {}): Round {
  return {
    way: 'one',
    at: '2026-01-02T03:04:05Z',
    seconds: 10,
    sent: 1000,
    failed: 0,
    skipped: 0,
    extraResponses: 0,
    reloads: [{ lost: 0, gapMs: 20, slowestMs: 30, doneMs: 400 }],
    byError: {},
    byKind: {},
    byConnection: {},
    kernel: null,
    ...change,
  };
}
const KERNEL = { ListenOverflows: 0, ListenDrops: 0, TCPMigrateReqSuccess: 3, TCPMigrateReqFailure: 0 };

describe('the arithmetic of the table of ways', () => {
  it('counts losses for each 100,000 requests that were sent', () => {
    assert.equal(per100k(3, 1000), 300);
    assert.equal(per100k(0, 1), 0);
  });

  it('has no figure for a run that sent nothing, in place of a loss of 0', () => {
    assert.throws(() => per100k(0, 0), /none was sent/);
    assert.throws(() => summarise([round({ sent: 0 })]), /none was sent/);
  });

  it('has no figure for a way that was never reloaded', () => {
    assert.throws(() => summarise([round({ reloads: [] })]), /nothing was reloaded/);
  });

  it('weighs rounds by their requests, and shows the best and the worst of them', () => {
    const one = summarise([round({ failed: 10 }), round({ sent: 9000 })]);
    assert.equal(one.per100k, 100);
    assert.deepEqual(one.per100kByRound, { median: 0, min: 0, max: 1000 });
  });

  it('counts a request that was due and never sent as lost', () => {
    const one = summarise([round({ sent: 900, failed: 100, skipped: 100 })]);
    assert.equal(one.per100k, 20_000);
  });

  it('takes the worst stall of all reloads of all rounds, and the median over reloads', () => {
    const reload = (gapMs: number) => ({ lost: 0, gapMs, slowestMs: gapMs + 1, doneMs: 1 });
    const one = summarise([round({ reloads: [reload(10), reload(700)] }), round({ reloads: [reload(20)] })]);
    assert.deepEqual(one.gapMs, { median: 20, min: 10, max: 700 });
    assert.deepEqual(one.slowestMs, { median: 21, min: 11, max: 701 });
    assert.equal(one.reloads, 3);
  });

  it('adds up what failed by kind, and connections that migrated where all rounds counted them', () => {
    const failing = round({ failed: 3, byError: { 'http-502': 2, timeout: 1 }, kernel: KERNEL });
    const one = summarise([failing, failing]);
    assert.deepEqual(one.byError, { 'http-502': 4, timeout: 2 });
    assert.equal(one.migrated, 6);
    assert.equal(summarise([failing, round()]).migrated, null);
  });

  it('does not stand when the control lost nothing', () => {
    assert.throws(() => assertControl([round(), round()]), /lost nothing in 2 reloads/);
    assert.doesNotThrow(() => assertControl([round(), round({ failed: 1 })]));
    assert.doesNotThrow(() => assertControl([]));
  });

  it('prints a row for each way that was measured, and what was lost in it', () => {
    const ways = [
      { name: 'one', title: 'first' },
      { name: 'none', title: 'never measured' },
    ];
    const lines = table(ways, [round({ failed: 4, byError: { ECONNRESET: 4 } })]).split('\n');
    assert.equal(lines.length, 3);
    assert.equal(
      lines[2],
      '| first | 1 | 1,000 | 4 | 400 (400 to 400) | 20 (20) | 30 (30) | 400 | 4 ECONNRESET |',
    );
  });
});

describe('the longest stall of a reload', () => {
  const HOME = KINDS.indexOf('home');
  /** Requests that were due at one time and came to an end at another, in ms. */
  function columnsOf(requests: { due: number; end: number; error?: string }[]): Columns {
    const columns = new Columns('run-0badcafe');
    for (const { due, end, error = '' } of requests) {
      const row = columns.open(HOME, true, due);
      columns.close(row, end, { status: error ? 502 : 200, error, bytes: 1, release: '1', reused: false });
    }
    return columns;
  }

  it('is the longest time without a good answer: one that failed does not end it', () => {
    const columns = columnsOf([
      { due: 0, end: 10 },
      { due: 100, end: 110 },
      { due: 200, end: 210, error: 'http-502' },
      { due: 200, end: 900 },
    ]);
    const [, reload] = intervals(columns, [{ label: 'reload 1', atMs: 50 }], 1000);
    assert.equal(reload?.longestGapMs, 790);
    assert.equal(reload?.failed, 1);
    assert.equal(reload?.latency.max, 700);
  });

  it('ends with the time that was looked at where no answer came at all', () => {
    const columns = columnsOf([{ due: 0, end: 10 }]);
    const [, reload] = intervals(columns, [{ label: 'reload 1', atMs: 50 }], 1050);
    assert.equal(reload?.longestGapMs, 1000);
  });
});
