import type { Figures } from '../contract.ts';

/** Fewer bad answers than this are bad luck. */
const MIN_ERRORS = 5;
/** A share of bad answers is worse when it is this much above the old release's … */
const ERROR_MARGIN = 0.01;
/** … and so many standard errors of the difference (two-proportion z-test, pooled). */
const ERROR_SIGMAS = 4;
/** Or, when there is hardly anything to compare with, when it is above this. */
const ERRORS_ALONE = 0.05;
/** Fewer answers than this, or those of a shorter time, say nothing about how fast a release is. */
const MIN_ANSWERS = 100;
const PACE_MS = 1000;
/** A release is slower when its median is so many times the old one's, and by more than a machine's noise. */
const SLOWER_TIMES = 3;
const SLOWER_MS = 8;
/** It still warms up while the median of its next answers is below this part of that of those before. */
const WARMING = 0.75;

/** What several instances of one release have answered together. */
export function sumOf(all: Figures[]): Figures {
  const sum = (of: (one: Figures) => number): number => all.reduce((total, one) => total + of(one), 0);
  const buckets = Math.max(0, ...all.map(({ times }) => times.length));
  return {
    answered: sum((one) => one.answered),
    errors: sum((one) => one.errors),
    times: Array.from({ length: buckets }, (_, bucket) => sum(({ times }) => times[bucket] ?? 0)),
  };
}

/** What was answered between two looks; a child that was replaced meanwhile has taken its figures along. */
export function since(then: Figures, now: Figures): Figures {
  const less = (a: number, b: number): number => Math.max(0, a - b);
  return {
    answered: less(now.answered, then.answered),
    errors: less(now.errors, then.errors),
    times: now.times.map((count, bucket) => less(count, then.times[bucket] ?? 0)),
  };
}

/** Milliseconds below which half of the answers were, interpolated within its bucket; null without answers. */
export function median({ times }: Figures): number | null {
  const half = times.reduce((sum, count) => sum + count, 0) / 2;
  let before = 0;
  for (const [bucket, count] of times.entries()) {
    if (count > 0 && before + count >= half) {
      const [from, to] = [bucket === 0 ? 0 : 2 ** ((bucket - 1) / 2), 2 ** (bucket / 2)];
      return from + ((half - before) / count) * (to - from);
    }
    before += count;
  }
  return null;
}

/** Both releases as they were when the present stretch of time began. */
interface Stretch {
  /** By `performance.now()`. */
  at: number;
  next: Figures;
  pace: Figures;
}

/**
 * Says, look after look, what is worse about the new release than about the old one; nothing when too little was answered to tell.
 * A release that has just begun is slow, its code not being compiled yet, and a machine is slow at times: that a release is slow
 * must show in two stretches of time one after the other, and in the second not much less than in the first.
 */
export class Judge {
  #since: Stretch;
  /** The median of the stretch before, when it was slow. */
  #suspectedMs: number | null = null;

  constructor(at: number) {
    this.#since = { at, next: sumOf([]), pace: sumOf([]) };
  }

  /**
   * `next` counts since the comparison began; `errors` of the old one is the longest look there is at it, `pace` the latest: in the
   * same time as `next`, when it still answers. `at` is by `performance.now()`.
   */
  look(next: Figures, old: { errors: Figures; pace: Figures }, at: number): string[] {
    const errors = moreErrors(next, old.errors);
    const latest = since(this.#since.next, next);
    if (at - this.#since.at < PACE_MS || latest.answered < MIN_ANSWERS) return errors;
    const beside = since(this.#since.pace, old.pace);
    const slow = slower(latest, beside.answered < MIN_ANSWERS ? old.pace : beside);
    const [ms, before] = [median(latest) ?? 0, this.#suspectedMs];
    this.#since = { at, next, pace: old.pace };
    this.#suspectedMs = slow.length ? ms : null;
    return slow.length && before !== null && ms >= before * WARMING ? [...errors, ...slow] : errors;
  }
}

function moreErrors(next: Figures, old: Figures): string[] {
  if (next.errors < MIN_ERRORS) return [];
  const [now, before] = [share(next), share(old)];
  const pooled = (next.errors + old.errors) / (next.answered + old.answered);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / next.answered + 1 / old.answered));
  const limit = old.answered < MIN_ANSWERS ? ERRORS_ALONE : Math.max(ERROR_MARGIN, ERROR_SIGMAS * spread);
  if (now - before <= limit) return [];
  return [
    `${next.errors} of ${next.answered} answers were errors (${percent(now)}); of the old release's ${old.answered}: ${old.errors} (${percent(before)})`,
  ];
}

function slower(next: Figures, old: Figures): string[] {
  if (old.answered < MIN_ANSWERS) return [];
  const [now, before] = [median(next) ?? 0, median(old) ?? 0];
  if (now < before * SLOWER_TIMES || now - before < SLOWER_MS) return [];
  return [
    `half of ${next.answered} answers took longer than ${now.toFixed(0)} ms; of the old release's ${old.answered}: ${before.toFixed(1)} ms`,
  ];
}

function share({ errors, answered }: Figures): number {
  return answered === 0 ? 0 : errors / answered;
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
