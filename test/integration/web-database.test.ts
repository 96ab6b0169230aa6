import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import request from 'supertest';
import { loadConfig } from '../../app/config.ts';
import { createDatabase } from '../../app/db/pool.ts';
import { createLogger } from '../../app/log.ts';
import { createWeb, type Web } from '../../app/web/index.ts';
import { docker, eventually, startStack, type Stack } from '../support/containers.ts';

/** The web role in this process, against real MySQL and Redis. */
void describe('the app with its database and Redis', () => {
  let stack: Stack;
  let env: Record<string, string>;
  let web: Web;

  async function start(change: Record<string, string> = {}): Promise<Web> {
    return await createWeb(loadConfig({ ...env, ...change }), 'v1', createLogger('silent', {}));
  }

  before(async () => {
    stack = await startStack({ services: ['pod', 'mysql', 'redis'] });
    const [mysql, redis, password] = await Promise.all([
      stack.address('mysql'),
      stack.address('redis'),
      stack.exec('pod', 'cat', '/run/secrets-store/mysql_password'),
    ]);
    env = {
      DATABASE_URL: `mysql://tasuki:${encodeURIComponent(password)}@${mysql}/tasuki`,
      DATABASE_POOL: '4',
      REDIS_URL: `redis://${redis}`,
    };
    web = await start();
  });

  after(async () => {
    await web?.close();
    await stack?.down();
  });

  void test('several children that boot together on an empty database all become ready', async () => {
    const others = await Promise.all([start(), start(), start(), start()]);
    try {
      await Promise.all([web, ...others].map((child) => child.warmUp()));
      await request(web.listener)
        .get('/readyz')
        .expect(200, { ...READY, release: 'v1' });
    } finally {
      await Promise.all(others.map((child) => child.close()));
    }
  });

  void test('every update is one row, with its id and release, and an id sent twice is two rows', async () => {
    const post = (id: string) =>
      request(web.listener)
        .post('/update')
        .set('Accept', 'application/json')
        .send({ id, text: `text of ${id} ✓ 🎽` });
    const answers = await Promise.all([post('one'), post('two'), post('two')]);
    assert.deepEqual(
      answers.map((res) => res.status),
      [201, 201, 201],
    );
    const database = createDatabase(loadConfig(env).database);
    try {
      const rows = await database.read('SELECT id, text, release_id FROM updates ORDER BY id');
      const row = (id: string) => ({ id, text: `text of ${id} ✓ 🎽`, release_id: 'v1' });
      assert.deepEqual(
        rows.map((one) => ({ ...(one as object) })),
        [row('one'), row('two'), row('two')],
      );
    } finally {
      await database.close();
    }
    const page = await request(web.listener).get('/').expect(200);
    assert.match(page.text, /text of one ✓ 🎽/);
    assert.match(page.text, /3 updates/);
  });

  void test('views are counted in Redis, and without Redis the page is whole', async () => {
    await eventually('views on the page', async () =>
      / · \d+ views?</.test((await request(web.listener).get('/').expect(200)).text),
    );
    const redis = await stack.container('redis');
    await docker(['pause', redis]);
    try {
      const hung = await timed(() => request(web.listener).get('/').expect(200));
      assert.ok(hung.ms < 2000, `${hung.ms} ms`);
      const ready = await request(web.listener).get('/readyz').expect(503);
      assert.deepEqual(ready.body.failed, ['redis']);
    } finally {
      await docker(['unpause', redis]);
    }
    await stack.compose('stop', 'redis');
    try {
      const page = await request(web.listener).get('/').expect(200);
      assert.doesNotMatch(page.text, / views?</);
    } finally {
      await stack.compose('start', 'redis');
    }
    await eventually('redis is used again', async () => {
      return (await request(web.listener).get('/readyz')).status === 200;
    });
  });

  void test('a database that hangs costs a request its deadline and a 503, and is used again when it is back', async () => {
    const mysql = await stack.container('mysql');
    await docker(['pause', mysql]);
    try {
      const { result: ready, ms: readyMs } = await timed(() =>
        request(web.listener).get('/readyz').expect(503),
      );
      assert.deepEqual(ready.body.failed, ['mysql']);
      assert.ok(readyMs < 2500, `${readyMs} ms`);
      const pages = await timed(() =>
        Promise.all(Array.from({ length: 12 }, () => request(web.listener).get('/').expect(503))),
      );
      assert.ok(pages.ms < 12_000, `${pages.ms} ms`);
      await request(web.listener).get('/healthz').expect(200);
    } finally {
      await docker(['unpause', mysql]);
    }
    await eventually('the database is used again', async () => {
      return (await request(web.listener).get('/')).status === 200;
    });
  });

  void test('a database that is gone is a 503 at once, and a child that boots meanwhile waits for it', async () => {
    await stack.compose('kill', 'mysql');
    let booting: Web | undefined;
    try {
      const { ms } = await timed(() =>
        request(web.listener).post('/update').send({ text: 'lost' }).expect(503).expect('Retry-After', '1'),
      );
      assert.ok(ms < 5000, `${ms} ms`);
      booting = await start();
      const ready = booting.warmUp();
      await stack.compose('start', 'mysql');
      await ready;
      await request(booting.listener).get('/').expect(200);
    } finally {
      await booting?.close();
    }
    await eventually('the older child too is back', async () => {
      return (await request(web.listener).get('/')).status === 200;
    });
  });

  void test('a wrong password is told at once and not waited for', async () => {
    const wrong = await start({ DATABASE_URL: env.DATABASE_URL?.replace(/:[^:@]+@/, ':wrong@') ?? '' });
    try {
      const { ms } = await timed(() => assert.rejects(wrong.warmUp(), /database refuses: Access denied/));
      assert.ok(ms < 5000, `${ms} ms`);
    } finally {
      await wrong.close();
    }
  });
});

const READY = { status: 'ok', failed: [], checks: { mysql: 'ok', redis: 'ok' } };

async function timed<T>(work: () => PromiseLike<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now();
  const result = await work();
  return { result, ms: Math.round(performance.now() - start) };
}
