import type { IRouter } from 'express';
import { HttpError } from '../../errors.ts';
import type { Asked, Gathered } from '../../jobs/jobs.ts';
import type { JobDeps } from '../app.ts';

/** Milliseconds a caller may wait; longer than that a page is not worth. */
const DEADLINE = { least: 50, most: 5000, usual: 1000 };
const DELAY = { least: 0, most: 10_000, usual: 100 };
const SOURCES = ['weather', 'road', ...Array.from({ length: 10 }, (_, leg) => `leg-${leg + 1}`)];
/** A source that is asked to be slow takes so many times longer. */
const SLOW_FACTOR = 50;

/** Keeps what was computed, for a while, for all children; the shared cache is one. */
export interface Kept {
  get(key: string, compute: () => Promise<AggregateBody>): Promise<AggregateBody>;
}

/** What is kept: when it was asked, and what came. */
export type AggregateBody = Gathered & {
  /** ISO 8601. */
  at: string;
};

/**
 * `GET /aggregate?deadline=1000`: what twelve slow sources say. Workers ask them side by side; what has come by the deadline is
 * answered, with the names of what is missing, and kept. `delay` is how long the sources take; `slow` and `fail` name
 * one that is slower, one that fails: to see what comes then.
 */
export function aggregate(router: IRouter, release: string, { jobs, aggregates }: JobDeps): void {
  router.get('/aggregate', async (req, res) => {
    const deadline = numberOf(req.query.deadline, 'deadline', DEADLINE);
    const delay = numberOf(req.query.delay, 'delay', DELAY);
    const [slow, fail] = [sourceOf(req.query.slow, 'slow'), sourceOf(req.query.fail, 'fail')];
    const asked: Asked[] = SOURCES.map((source) => ({
      source,
      delay: source === slow ? delay * SLOW_FACTOR : delay,
      fail: source === fail,
    }));
    const result = await aggregates.get([deadline, delay, slow, fail].join(' '), async () => {
      const at = new Date().toISOString();
      return { at, ...(await (await jobs.get()).gather(asked, deadline)) };
    });
    res.setHeader('Cache-Control', 'no-store');
    res.json({ release, deadline, complete: result.missing.length === 0, ...result });
  });
}

function numberOf(
  given: unknown,
  name: string,
  { least, most, usual }: { least: number; most: number; usual: number },
): number {
  const value = given === undefined || given === '' ? usual : Number(given);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new HttpError(400, `bad_${name}`, `${name} must be a whole number from ${least} to ${most}`);
}

function sourceOf(given: unknown, name: string): string {
  if (given === undefined || given === '') return '';
  if (typeof given === 'string' && SOURCES.includes(given)) return given;
  throw new HttpError(400, `bad_${name}`, `${name} must be one of ${SOURCES.join(', ')}`);
}
