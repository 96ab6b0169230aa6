import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import request from 'supertest';
import { loadConfig } from '../../app/config.ts';
import { createDatabase } from '../../app/db/pool.ts';
import { createLogger } from '../../app/log.ts';
import { createWeb, type Web } from '../../app/web/index.ts';
import { docker, eventually, startStack, type Stack } from '../support/containers.ts';

/** The web role in this process, against real MySQL. */
void describe('the app with its database', () => {
  let stack: Stack;
  let env: Record<string, string>;
  let web: Web;

  function start(change: Record<string, string> = {}): Web {
    return createWeb(loadConfig({ ...env, ...change }), 'v1', createLogger('silent', {}));
  }

  before(async () => {
    stack = await startStack({ services: ['pod', 'mysql'] });
    const [mysql, password] = await Promise.all([
      stack.address('mysql'),
      stack.exec('pod', 'cat', '/run/secrets-store/mysql_password'),
    ]);
    env = {
      DATABASE_URL: `mysql://tasuki:${encodeURIComponent(password)}@${mysql}/tasuki`,
      DATABASE_POOL: '4',
    };
    web = start();
  });

  after(async () => {
    await web?.close();
    await stack?.down();
  });

  void test('several children that boot together on an empty database all become ready', async () => {
    const others = [start(), start(), start(), start()];
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
      const rows = await database.read('SELECT id, text, release_id FROM cheers ORDER BY id');
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
    assert.match(page.text, /<output>3<\/output>/);
  });

  void test('a server that takes seconds to greet a connection, as on a machine whose CPU is taken, is waited for', async () => {
    const { database: config } = loadConfig(env);
    const slow = net.createServer((socket) => void greetLate(socket));
    const greetLate = async (socket: net.Socket): Promise<void> => {
      await delay(SLOW_MS);
      const mysql = net.connect(config.port, config.host);
      socket.on('error', () => mysql.destroy()).pipe(mysql);
      mysql.on('error', () => socket.destroy()).pipe(socket);
    };
    await once(slow.listen(0, '127.0.0.1'), 'listening');
    const { port } = slow.address() as net.AddressInfo;
    const database = createDatabase({ ...config, host: '127.0.0.1', port });
    try {
      const [row] = await database.read<{ one: number }>('SELECT 1 AS one');
      assert.equal(row?.one, 1);
    } finally {
      await database.close();
      slow.close();
    }
  });

  void test('a process that is held up for longer than a deadline takes the answer that came meanwhile', async () => {
    const database = createDatabase(loadConfig(env).database);
    try {
      await database.read('SELECT 1');
      const answer = database.read('SELECT 1 AS one', [], 200);
      await new Promise((resolve) => setImmediate(resolve)); // sent
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
      assert.deepEqual(
        (await answer).map((row) => ({ ...(row as object) })),
        [{ one: 1 }],
      );
      await assert.rejects(database.read('SELECT SLEEP(1)', [], 200), /the database is not available/);
    } finally {
      await database.close();
    }
  });

  void test('a page with the seeded race and all the cheers it shows is about 40 KB, read from the database each time', async () => {
    const database = createDatabase(loadConfig(env).database);
    const texts = ['Fight! Two more kilometres', 'Go go go!', 'What a leg, Ren. See you at Lake Ashi!'];
    const rows = Array.from({ length: 100 }, (_, n) => [`full-${n}`, (n % 20) + 1, texts[n % 3] ?? '', 'v1']);
    const places = rows.map(() => '(?, ?, ?, ?, UTC_TIMESTAMP(3))').join(',');
    try {
      await database.write(
        `INSERT INTO cheers (id, team_id, text, release_id, at) VALUES ${places}`,
        rows.flat(),
      );
      const { text } = await request(web.listener).get('/').expect(200);
      const bytes = Buffer.byteLength(text);
      assert.ok(bytes > 38_000 && bytes < 43_000, `${bytes} bytes`);
      await database.write("UPDATE cheers SET text = 'said again' WHERE id = 'full-99'");
      const { text: next } = await request(web.listener).get('/').expect(200);
      assert.match(next, /said again/);
    } finally {
      await database.close();
    }
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
      assert.ok(pages.ms < 22_000, `${pages.ms} ms`);
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
      booting = start();
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
    const wrong = start({ DATABASE_URL: env.DATABASE_URL?.replace(/:[^:@]+@/, ':wrong@') ?? '' });
    try {
      const { ms } = await timed(() => assert.rejects(wrong.warmUp(), /database refuses: Access denied/));
      assert.ok(ms < 5000, `${ms} ms`);
    } finally {
      await wrong.close();
    }
  });
});

/** Longer than the app waits for a machine that is not there. */
const SLOW_MS = 3000;

const READY = { status: 'ok', failed: [], checks: { mysql: 'ok' } };

async function timed<T>(work: () => PromiseLike<T>): Promise<{ result: T; ms: number }> {
  const start = performance.now();
  const result = await work();
  return { result, ms: Math.round(performance.now() - start) };
}
