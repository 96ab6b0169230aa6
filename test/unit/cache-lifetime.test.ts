import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkJitter,
  checkLifetime,
  checkTtl,
  lifetimeOf,
  MAX_TTL_SECONDS,
} from '../../app/cache/lifetime.ts';

/** What is no lifetime, whatever the unit. */
const NOT: unknown[] = [undefined, null, 0, -1, NaN, Infinity, -Infinity, '60', 60n, {}, [], true];

describe('the lifetime of a key', () => {
  it('is a number of seconds above 0 and at most 30 days', () => {
    for (const good of [0.001, 1, 60, 3600.5, MAX_TTL_SECONDS]) assert.doesNotThrow(() => checkTtl(good));
    for (const bad of [...NOT, MAX_TTL_SECONDS + 1, Number.MAX_VALUE])
      assert.throws(() => checkTtl(bad), TypeError, String(bad));
  });

  it('is sent as whole milliseconds, and nothing else is', () => {
    for (const good of [1, 60_000, MAX_TTL_SECONDS * 1000]) assert.doesNotThrow(() => checkLifetime(good));
    for (const bad of [...NOT, 0.5, MAX_TTL_SECONDS * 1000 + 1])
      assert.throws(() => checkLifetime(bad), TypeError, String(bad));
  });

  it('is shortened by jitter at most by its part, and never longer than what was said', () => {
    assert.equal(
      lifetimeOf(100, 0.1, () => 0),
      100_000,
    );
    assert.equal(
      lifetimeOf(100, 0.1, () => 1),
      90_000,
    );
    assert.equal(
      lifetimeOf(100, 0, () => 1),
      100_000,
    );
    const drawn = Array.from({ length: 10_000 }, () => lifetimeOf(100, 0.1));
    assert.ok(Math.min(...drawn) >= 90_000 && Math.max(...drawn) <= 100_000);
    assert.ok(Math.min(...drawn) < 91_000 && Math.max(...drawn) > 99_000, 'the whole range is used');
    for (const ms of drawn) checkLifetime(ms);
  });

  it('is never rounded to nothing', () => {
    assert.equal(
      lifetimeOf(0.000_1, 0.9, () => 1),
      1,
    );
  });

  it('takes a jitter of 0 or more and less than 1', () => {
    for (const good of [0, 0.1, 0.99]) assert.doesNotThrow(() => checkJitter(good));
    for (const bad of [1, -0.1, NaN, '0.1', undefined])
      assert.throws(() => checkJitter(bad), TypeError, String(bad));
  });
});
