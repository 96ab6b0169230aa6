import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasSettled } from '../../deployer/core/warm-up.ts';

const times = (count: number, ms: (n: number) => number): number[] =>
  Array.from({ length: count }, (_, n) => ms(n));

void test('answers that become faster have not settled, and those that do not have', () => {
  assert.equal(hasSettled(times(100, (n) => 100 - n)), false);
  assert.equal(hasSettled(times(100, () => 5)), true);
  assert.equal(hasSettled(times(100, (n) => Math.max(5, 50 - n))), true);
});

void test('one slow answer among the later ones does not hide that they have settled', () => {
  assert.equal(hasSettled(times(60, (n) => (n === 55 ? 500 : 5))), true);
});

void test('a few answers tell nothing', () => {
  assert.equal(hasSettled(times(39, () => 5)), false);
});
