import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createBreaker } from '../../app/breaker.ts';
import { nameOf } from '../../app/cache/connection.ts';
import { Late, within } from '../../app/cache/deadline.ts';
import { createTally, OTHER } from '../../app/cache/tally.ts';

describe('a node that is late', () => {
  it('is left alone after five times in a row, for a second', () => {
    let now = 0;
    const breaker = createBreaker(() => now);
    for (let n = 0; n < 5; n++) {
      assert.equal(breaker.allows(), true);
      breaker.late();
    }
    assert.equal(breaker.resting(), true);
    now = 999;
    assert.equal(breaker.allows(), false);
    now = 1000;
    assert.equal(breaker.allows(), true); // one tries
    assert.equal(breaker.allows(), false); // the others do not wait for it
    breaker.late();
    now = 1999;
    assert.equal(breaker.allows(), false);
    now = 2000;
    assert.equal(breaker.allows(), true);
    breaker.answered();
    assert.equal(breaker.resting(), false);
    assert.equal(breaker.allows(), true);
  });

  it('is not left alone when it answers now and then', () => {
    const breaker = createBreaker(() => 0);
    for (let n = 0; n < 100; n++) {
      assert.equal(breaker.allows(), true);
      if (n % 5 === 4) breaker.answered();
      else breaker.late();
    }
  });
});

describe('a deadline', () => {
  it('passes on what comes in time, be it an answer or an error', async () => {
    assert.equal(await within(10_000, Promise.resolve('answer')), 'answer');
    await assert.rejects(within(10_000, Promise.reject(new Error('refused'))), /refused/);
  });

  it('rejects what does not come, and what comes of it later is nobody’s business', async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    await assert.rejects(within(1, promise), Late);
    reject(new Error('later')); // unhandled, it would fail this test
  });
});

describe('the name of a node', () => {
  it('is its address, without what may change and what is secret', () => {
    assert.equal(nameOf('redis://cache'), 'cache:6379');
    assert.equal(nameOf('redis://user:secret@cache:7000/0'), 'cache:7000');
    assert.equal(nameOf('redis://cache/2'), 'cache:6379/2');
    assert.throws(() => nameOf('cache'), TypeError);
  });
});

describe('the tally of a survey', () => {
  it('adds up by namespace and version, and estimates sizes from its sample', () => {
    const tally = createTally(2);
    assert.deepEqual(
      ['items:v1:a', 'items:v1:b', 'items:v1:c', 'items:v2:a'].map((key) => tally.wantsSize(key)),
      [true, true, false, true],
    );
    tally.add('items:v1:a', 500, 100);
    tally.add('items:v1:b', 1500, 200);
    tally.add('items:v1:c', -1, null);
    tally.add('items:v2:a', -2, null); // gone meanwhile
    tally.add('views', -1, 50);
    assert.deepEqual(tally.namespaces(), [
      {
        namespace: OTHER,
        keys: 1,
        bytes: 50,
        sampled: 1,
        shortestMs: null,
        longestMs: null,
        withoutLifetime: 1,
      },
      {
        namespace: 'items:v1',
        keys: 3,
        bytes: 450,
        sampled: 2,
        shortestMs: 500,
        longestMs: 1500,
        withoutLifetime: 1,
      },
    ]);
  });
});
