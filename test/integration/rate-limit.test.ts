import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import request from 'supertest';
import { createLogger } from '../../app/log.ts';
import { createRateLimit } from '../../app/web/rate-limit.ts';
import { appWith } from '../support/app.ts';
import { docker, eventually, startStack, type Stack } from '../support/containers.ts';

const LIMIT = 5;

void describe('writes from one address', () => {
  let stack: Stack;
  let url: string;
  const open: { close: () => void }[] = [];

  /** An app like that of one child. */
  function child(perMinute = LIMIT) {
    const limit = createRateLimit(url, perMinute, createLogger('silent', {}));
    open.push(limit);
    return appWith({ limit: limit.middleware }).app;
  }
  /** One cheer from an address behind the proxy. */
  async function cheer(app: ReturnType<typeof child>, address: string) {
    return await request(app)
      .post('/update')
      .set('X-Forwarded-For', address)
      .set('Accept', 'application/json')
      .send({ text: 'x' });
  }
  const counted = async (app: ReturnType<typeof child>) =>
    (await cheer(app, '192.0.2.200')).headers.ratelimit !== undefined;

  before(async () => {
    stack = await startStack({ services: ['cache'] });
    url = `redis://${await stack.address('cache')}`;
  });
  after(async () => {
    for (const one of open) one.close();
    await stack?.down();
  });

  void test('are limited over all children together, and another address is not', async () => {
    const children = [child(), child()];
    for (const one of children) await eventually('it counts', () => counted(one));
    const statuses: number[] = [];
    for (let n = 0; n < LIMIT + 3; n++) statuses.push((await cheer(children[n % 2]!, '192.0.2.1')).status);
    assert.deepEqual(statuses, [...Array<number>(LIMIT).fill(201), 429, 429, 429]);
    const refused = await cheer(children[0]!, '192.0.2.1');
    assert.equal(refused.body.error.code, 'too_many');
    assert.match(refused.headers['ratelimit-policy'] ?? '', /w=60/);
    assert.equal((await cheer(children[0]!, '192.0.2.2')).status, 201);
    assert.equal(
      (await request(children[0]!).get('/').set('X-Forwarded-For', '192.0.2.1')).status,
      200,
      'reading is free',
    );
  });

  void test('leave a lifetime on every key they count with', async () => {
    const keys = (await stack.exec('cache', 'redis-cli', 'keys', 'limit:*')).split('\n').filter(Boolean);
    assert.ok(keys.length > 0);
    for (const key of keys) assert.ok(Number(await stack.exec('cache', 'redis-cli', 'pttl', key)) > 0, key);
  });

  void test('all pass while Redis hangs or is gone, and are counted again when it is back', async () => {
    const app = child();
    await eventually('it counts', () => counted(app));
    const cache = await stack.container('cache');
    await docker(['pause', cache]);
    try {
      for (let n = 0; n < LIMIT + 3; n++) assert.equal((await cheer(app, '192.0.2.3')).status, 201);
    } finally {
      await docker(['unpause', cache]);
    }
    await stack.compose('kill', 'cache');
    try {
      for (let n = 0; n < LIMIT + 3; n++) assert.equal((await cheer(app, '192.0.2.4')).status, 201);
      const born = child(); // while there is no Redis at all
      assert.equal((await cheer(born, '192.0.2.5')).status, 201);
      await stack.compose('up', '-d', '--wait', 'cache');
      for (const one of [app, born]) await eventually('it counts again', () => counted(one), 30_000);
      const statuses = new Set<number>();
      for (let n = 0; n < LIMIT + 3; n++) statuses.add((await cheer(born, '192.0.2.6')).status);
      assert.ok(statuses.has(429), 'one that was born without Redis limits too');
    } finally {
      await stack.compose('up', '-d', '--wait', 'cache');
    }
  });

  void test('are not limited where there is no limit', async () => {
    const app = child(0);
    for (let n = 0; n < LIMIT + 3; n++) assert.equal((await cheer(app, '192.0.2.7')).status, 201);
  });
});
