import { median } from '../../support/handovers.ts';
import type { Sample } from './load.ts';
import { PARTS, type Part } from './stack.ts';
import type { Side } from './peers.ts';

/** A round of one side. */
export interface Round extends Sample {
  /** Microseconds of CPU for each request. */
  cpu: Record<Part, number>;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface Summary {
  side: Side;
  perSecond: Spread;
  p50: Spread;
  p99: Spread;
  cpu: Record<Part, number>;
  bytes: number;
  errors: number;
  what: string[];
  /** Ours against this side: the ratio of the medians, and the smallest and largest of one round. Absent for ours. */
  ratio?: { perSecond: Spread; p99: Spread };
}

export function summarise(side: Side, rounds: Round[], ours?: Round[]): Summary {
  const of = (read: (round: Round) => number): Spread => spread(rounds.map(read));
  return {
    side,
    perSecond: of(({ perSecond }) => perSecond),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    cpu: Object.fromEntries(PARTS.map((part) => [part, of(({ cpu }) => cpu[part]).median])) as Record<
      Part,
      number
    >,
    bytes: of(({ bytes }) => bytes).median,
    errors: rounds.reduce((sum, { errors }) => sum + errors, 0),
    what: rounds.flatMap(({ what }, index) => (what ? [`round ${index + 1}: ${what}`] : [])),
    ...(ours && {
      ratio: {
        perSecond: ratio(ours, rounds, ({ perSecond }) => perSecond),
        p99: ratio(ours, rounds, ({ p99 }) => p99),
      },
    }),
  };
}

/** Rounds of the same number ran one after the other: what disturbs the machine disturbs both. */
function ratio(ours: Round[], peer: Round[], read: (round: Round) => number): Spread {
  const each = ours.map((round, index) => read(round) / read(peer[index]!));
  return { ...spread(each), median: median(ours.map(read)) / median(peer.map(read)) };
}

function spread(values: number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The figures of one path as lines of text; `asked` is how many times a peer's requests per second are wanted. */
export function table(title: string, summaries: Summary[], asked: Partial<Record<Side, number>>): string {
  const head = ['', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs: app, proxy, mysql', 'bytes', 'errors'];
  const rows = summaries.map(({ side, perSecond, p50, p99, cpu, bytes, errors }) => [
    side,
    range(perSecond, 0),
    p50.median.toFixed(1),
    range(p99, 1),
    PARTS.map((part) => cpu[part].toFixed(0)).join(', '),
    String(bytes),
    errors === 0 ? '0' : `${errors} !`,
  ]);
  const ratios = summaries.flatMap(({ side, ratio: of }) => {
    if (!of) return [];
    const wanted = asked[side] === undefined ? '(reference)' : `(asked: ${asked[side]})`;
    const perSecond = `${range(of.perSecond, 2)} times the requests/s of ${side} ${wanted}`;
    return [`  tasuki: ${perSecond}, ${range(of.p99, 2)} of its p99`];
  });
  const errors = summaries.flatMap(({ side, what }) => what.map((one) => `  errors of ${side}, ${one}`));
  return [title, ...columns([head, ...rows]), ...ratios, ...errors, ''].join('\n');
}

function range({ median: middle, min, max }: Spread, digits: number): string {
  return `${middle.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
}

function columns(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('   ')}`.trimEnd(),
  );
}
