import { median } from '../../support/handovers.ts';
import type { KernelCounters } from '../../support/load/kernel.ts';

/** What one reload did. */
export interface Reload {
  /** Requests that were sent between it and the next, and failed. */
  lost: number;
  /** The longest time in which not one request came to a good end. */
  gapMs: number;
  /** The slowest good answer to a quick request, from when the request was due. */
  slowestMs: number;
  /** From the command until its end, and until nobody but the new version answered. */
  doneMs: number;
}

/** Some reloads of one way under one load. */
export interface Round {
  way: string;
  at: string;
  /** Share of the 10 s before in which something on the machine waited for a CPU, in percent: what others did. */
  pressure?: number;
  seconds: number;
  sent: number;
  failed: number;
  /** Requests that were due and not sent, since every connection of the client waited for an answer. */
  skipped: number;
  /** Answers that nobody had asked for. */
  extraResponses: number;
  reloads: Reload[];
  byError: Record<string, number>;
  byKind: Record<string, { sent: number; failed: number }>;
  byConnection: Record<string, { sent: number; failed: number }>;
  kernel: KernelCounters | null;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface Summary {
  reloads: number;
  sent: number;
  failed: number;
  skipped: number;
  /** Of all rounds together, and the rounds apart. */
  per100k: number;
  per100kByRound: Spread;
  perReload: Spread;
  gapMs: Spread;
  slowestMs: Spread;
  doneMs: Spread;
  byError: Record<string, number>;
  /** Connections that the kernel handed from a listener that closed to another; null where it was not counted. */
  migrated: number | null;
}

/** Failed requests for each 100,000 sent. Throws where none was sent: that is no loss of 0. */
export function per100k(failed: number, sent: number): number {
  if (sent <= 0) throw new Error('no losses without requests: none was sent');
  return (failed * 100_000) / sent;
}

/** All rounds of one way as one. A request that was due and never sent is lost, too. */
export function summarise(rounds: Round[]): Summary {
  const sum = (read: (round: Round) => number): number => rounds.reduce((total, one) => total + read(one), 0);
  const reloads = rounds.flatMap((round) => round.reloads);
  if (reloads.length === 0) throw new Error('nothing was reloaded');
  const [sent, failed, skipped] = [
    sum((round) => round.sent),
    sum((round) => round.failed),
    sum((round) => round.skipped),
  ];
  const byError: Record<string, number> = {};
  for (const [error, count] of rounds.flatMap((round) => Object.entries(round.byError)))
    byError[error] = (byError[error] ?? 0) + count;
  const counted = rounds.map(({ kernel }) => kernel?.TCPMigrateReqSuccess ?? null);
  return {
    reloads: reloads.length,
    sent,
    failed,
    skipped,
    per100k: per100k(failed + skipped, sent + skipped),
    per100kByRound: spread(rounds.map((one) => per100k(one.failed + one.skipped, one.sent + one.skipped))),
    perReload: spread(reloads.map(({ lost }) => lost)),
    gapMs: spread(reloads.map(({ gapMs }) => gapMs)),
    slowestMs: spread(reloads.map(({ slowestMs }) => slowestMs)),
    doneMs: spread(reloads.map(({ doneMs }) => doneMs)),
    byError,
    migrated: counted.every((count) => count !== null) ? counted.reduce((a, b) => a + b, 0) : null,
  };
}

/** Throws when the row that must lose has lost nothing: then the load would not have seen the losses of the others either. */
export function assertControl(rounds: Round[]): void {
  const [failed, reloads] = [
    rounds.reduce((sum, one) => sum + one.failed, 0),
    rounds.reduce((sum, one) => sum + one.reloads.length, 0),
  ];
  if (reloads > 0 && failed === 0)
    throw new Error(
      `the control lost nothing in ${reloads} reloads: the zeros of the other rows prove nothing`,
    );
}

function spread(values: number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The table in Markdown, in the order of `ways`; one that was not measured is left out. */
export function table(ways: { name: string; title: string }[], rounds: Round[]): string {
  const head = [
    'way',
    'reloads',
    'requests',
    'lost',
    'lost per 100,000 (rounds)',
    'longest stall, ms: worst (median)',
    'slowest answer, ms: worst (median)',
    'done after, ms',
    'what failed',
  ];
  const rows = ways.flatMap(({ name, title }) => {
    const mine = rounds.filter(({ way }) => way === name);
    if (mine.length === 0) return [];
    const one = summarise(mine);
    const { min, max } = one.per100kByRound;
    const errors = Object.entries(one.byError).map(([error, count]) => `${count} ${error}`);
    if (one.skipped > 0) errors.push(`${one.skipped} not sent`);
    return [
      [
        title,
        String(one.reloads),
        number(one.sent + one.skipped),
        number(one.failed + one.skipped),
        `${number(one.per100k)} (${number(min)} to ${number(max)})`,
        worst(one.gapMs),
        worst(one.slowestMs),
        number(one.doneMs.median),
        errors.join(', '),
      ],
    ];
  });
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function worst({ max, median: middle }: Spread): string {
  return `${number(max)} (${number(middle)})`;
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
