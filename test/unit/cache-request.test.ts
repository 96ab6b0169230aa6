import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { once } from '../../app/cache/request.ts';

describe('what is computed once per request', () => {
  it('is computed once for all who ask, at the same time or later', async () => {
    const request = {};
    let computed = 0;
    const ask = () => once(request, 'user', async () => ++computed);
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [1, 1, 1]);
    assert.equal(await ask(), 1);
  });

  it('is another one in another request and under another name', async () => {
    const [one, two] = [{}, {}];
    let computed = 0;
    const compute = () => ++computed;
    assert.equal(await once(one, 'user', compute), 1);
    assert.equal(await once(two, 'user', compute), 2);
    assert.equal(await once(one, 'basket', compute), 3);
    assert.equal(await once(one, 'user', compute), 1);
  });

  it('may be nothing, which is kept too', async () => {
    const request = {};
    let computed = 0;
    const ask = () =>
      once(request, 'user', () => {
        computed += 1;
        return undefined;
      });
    await ask();
    await ask();
    assert.equal(computed, 1);
  });

  it('is not kept when it failed: those who wait hear of it, the next one computes again', async () => {
    const request = {};
    let computed = 0;
    const ask = () =>
      once(request, 'user', async () => {
        computed += 1;
        if (computed === 1) throw new Error('no database');
        return computed;
      });
    const outcomes = await Promise.allSettled([ask(), ask()]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(computed, 1);
    assert.equal(await ask(), 2);
  });

  it('rejects, and does not throw, when computing throws at once', async () => {
    const thrower = (): number => {
      throw new Error('at once');
    };
    const asked = once({}, 'user', thrower);
    await assert.rejects(asked, /at once/);
  });
});
