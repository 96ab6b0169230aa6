import { toDeployError } from '../errors.ts';
import type { Strategy } from '../schema.ts';
import type { Facts } from './facts.ts';

/**
 * What a check cannot do without. `pod` includes engine and config; `serving` is a running container of the app, the
 * serving one where there is one; `idle` means that no deploy is at work, whose half-done state would look like a fault.
 */
export type Need = 'engine' | 'config' | 'pod' | 'serving' | 'idle';

/** `skipped`: what it needs is not there; `found` says why. */
export type Level = 'ok' | 'warn' | 'fail' | 'skipped';

export interface Fix {
  /** What it does, as a sentence that starts with a verb. */
  what: string;
  /** Harms nothing whatever else is going on; others are done with --yes only. */
  safe: boolean;
  do(): Promise<void>;
}

export interface Verdict {
  level: Level;
  /** What was found, with its value. */
  found: string;
  /** What to do about it, as a command where there is one. */
  advice?: string;
  fix?: Fix;
}

export interface Finding extends Verdict {
  id: string;
  title: string;
}

export interface Check {
  id: string;
  title: string;
  needs: Need[];
  /** It is about one way of handing over, and looked at where that is used. */
  strategy?: Strategy;
  run(facts: Facts): Verdict | Promise<Verdict>;
}

/** Why a need is not met, and how to meet it. */
export interface Lack {
  /** A few words for each check that needs it. */
  why: string;
  /** All that is known, for the check that is about it. */
  detail: string;
  advice: string;
}

const TIMEOUT_MS = 30_000;

export const ok = (found: string, advice?: string): Verdict => verdict('ok', found, advice);
export const warn = (found: string, advice: string, fix?: Fix): Verdict =>
  verdict('warn', found, advice, fix);
export const fail = (found: string, advice: string, fix?: Fix): Verdict =>
  verdict('fail', found, advice, fix);
export const skipped = (found: string, advice?: string): Verdict => verdict('skipped', found, advice);

function verdict(level: Level, found: string, advice?: string, fix?: Fix): Verdict {
  return { level, found, ...(advice && { advice }), ...(fix && { fix }) };
}

/** Runs one check. It never throws: what stops a check is a finding too, so that the others still run. */
export async function runCheck(check: Check, facts: Facts, timeoutMs = TIMEOUT_MS): Promise<Finding> {
  const { id, title } = check;
  const unmet = check.needs.find((need) => facts.missing[need]);
  if (unmet) {
    const { why, advice } = facts.missing[unmet]!;
    return { id, title, ...skipped(`${title}: not checked, ${why}`, advice) };
  }
  try {
    return { id, title, ...(await before(timeoutMs, Promise.resolve(check.run(facts)))) };
  } catch (error) {
    const { what, next, code } = toDeployError(error).details;
    const advice = code === 'UNEXPECTED' ? 'put right what failed above, and run this again' : next;
    return { id, title, ...warn(`${title}: could not be checked: ${what.trim()}`, advice) };
  }
}

/** Thrown by `before`. */
export class LateError extends Error {}

/** What `work` gives, or a LateError after `ms`: a machine in trouble may never answer. */
export async function before<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(`no answer within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
