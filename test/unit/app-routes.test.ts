import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import request from 'supertest';
import { Unavailable } from '../../app/errors.ts';
import { createLogger } from '../../app/log.ts';
import type { Cheer } from '../../app/db/cheers.ts';
import type { Master } from '../../app/db/teams.ts';
import { createApp, type Deps } from '../../app/web/app.ts';

const ROW: Cheer = {
  seq: 1,
  id: 'a',
  team_id: 1,
  text: '<script>alert("1")</script>',
  release_id: 'v0',
  at: new Date(0),
};

const MASTER: Master = {
  teams: [{ id: 1, name: 'Asa & Co', area: 'Kanto', color: '#b3261e' }],
  legs: [{ no: 1, start: 'Gate', finish: 'Lake', metres: 21_300 }],
  runners: [{ team_id: 1, leg: 1, name: 'Ren <b>', year: 2 }],
};

function appWith(change: Partial<Deps> = {}) {
  const added: unknown[] = [];
  const deps: Deps = {
    config: { trustProxy: 'loopback', bodyLimit: 1000, logLevel: 'silent' },
    release: 'v1',
    log: createLogger('silent', {}),
    database: { read: async () => [] },
    cheers: {
      add: async (cheer) => added.push(cheer),
      latest: async () => ({ cheers: [ROW], count: { total: 1, byTeam: new Map([[1, 1]]) } }),
    },
    master: { get: async () => MASTER },
    ...change,
  };
  return { app: createApp(deps), added };
}

const failing = {
  add: () => Promise.reject(new Unavailable('the database', new Error('connect ECONNREFUSED 10.0.0.1:3306'))),
  latest: () => Promise.reject(new TypeError('secret detail')),
};

void test('every answer carries the release and the request id, errors too', async () => {
  const { app } = appWith({ cheers: failing });
  const answers = [
    await request(app).get('/healthz'),
    await request(app).get('/nothing'),
    await request(app).post('/echo').send('x'.repeat(2000)),
    await request(app).post('/update').type('json').send('{"text":'),
    await request(app).get('/'),
    await request(app).post('/update').send({ text: 'x' }),
  ];
  assert.deepEqual(
    answers.map((res) => res.status),
    [200, 404, 413, 400, 500, 503],
  );
  for (const res of answers) {
    assert.equal(res.headers['x-release'], 'v1');
    assert.match(res.headers['x-request-id'] ?? '', /^[0-9a-f]{32}$/);
    assert.equal(res.headers['x-powered-by'], undefined);
  }
});

void test('a sane request id is kept and any other is replaced', async () => {
  const { app } = appWith();
  const kept = await request(app).get('/healthz').set('X-Request-ID', 'abc-1.2_3');
  assert.equal(kept.headers['x-request-id'], 'abc-1.2_3');
  for (const id of ['a b', 'x'.repeat(65), '<i>', '']) {
    const res = await request(app).get('/healthz').set('X-Request-ID', id);
    assert.match(res.headers['x-request-id'] ?? '', /^[0-9a-f]{32}$/);
  }
});

void test('an error names the request id and no internals', async () => {
  const { app } = appWith({ cheers: failing });
  const fault = await request(app).get('/').set('X-Request-ID', 'r1').set('Accept', 'application/json');
  assert.deepEqual(fault.body, {
    error: { code: 'internal', message: 'something went wrong here', id: 'r1' },
  });
  const down = await request(app).post('/update').set('Accept', 'application/json').send({ text: 'x' });
  assert.equal(down.headers['retry-after'], '1');
  assert.doesNotMatch(down.text, /ECONNREFUSED|10\.0\.0\.1/);
  const page = await request(app).get('/').set('X-Request-ID', 'r2').set('Accept', 'text/html');
  assert.match(page.text, /<code>r2<\/code>/);
  assert.doesNotMatch(page.text, /secret detail/);
});

void test('the page escapes what users wrote', async () => {
  const { text } = await request(appWith().app).get('/').expect(200);
  assert.doesNotMatch(text, /<script/);
  assert.match(text, /&lt;script&gt;alert\(&quot;1&quot;\)/);
});

void test('the page asks for nothing that its policy forbids', async () => {
  const res = await request(appWith().app).get('/').expect(200);
  assert.match(res.headers['content-security-policy'] ?? '', /default-src 'none'.*style-src 'self'/);
  assert.doesNotMatch(res.text, /<style|style=|<script|https?:/);
});

void test('an update takes its id from the body, else from the request', async () => {
  const { app, added } = appWith();
  const json = await request(app)
    .post('/update')
    .set('Accept', 'application/json')
    .send({ id: 'body-1', text: ' a ' });
  assert.equal(json.status, 201);
  assert.deepEqual(json.body, { seq: 1, id: 'body-1', release: 'v1' });
  await request(app)
    .post('/update')
    .set('X-Request-ID', 'head-1')
    .type('form')
    .send('text=b&team=1')
    .expect(200, /Your cheer is on the board/);
  assert.deepEqual(added, [
    { id: 'body-1', text: 'a', team: null, release: 'v1' },
    { id: 'head-1', text: 'b', team: 1, release: 'v1' },
  ]);
});

void test('an update that is wrong is refused and writes nothing', async () => {
  const { app, added } = appWith();
  const post = () => request(app).post('/update').set('Accept', 'application/json');
  await post().send({}).expect(400);
  await post().send({ text: '   ' }).expect(400);
  await post()
    .send({ text: ['a'] })
    .expect(400);
  await post()
    .send({ text: 'x'.repeat(281) })
    .expect(400);
  await post()
    .send({ text: 'x', id: 'y'.repeat(65) })
    .expect(400);
  await post().send({ text: 'x', id: 7 }).expect(400);
  for (const team of [2, 'x', {}, -1, 1.5]) await post().send({ text: 'x', team }).expect(400);
  await post().type('text/plain').send('text').expect(415);
  await post()
    .send({ text: 'x'.repeat(2000) })
    .expect(413);
  await post().set('Sec-Fetch-Site', 'cross-site').send({ text: 'x' }).expect(403);
  assert.deepEqual(added, []);
});

void test('echo tells the request, whatever its bytes are', async () => {
  const { app } = appWith();
  const res = await request(app)
    .put('/echo?a=1&a=2')
    .set('X-Forwarded-For', '192.0.2.7')
    .type('json')
    .send({ b: [1] });
  assert.equal(res.body.method, 'PUT');
  assert.deepEqual(res.body.query, { a: ['1', '2'] });
  assert.equal(res.body.ip, '192.0.2.7');
  assert.deepEqual(res.body.body, { bytes: 9, text: '{"b":[1]}', json: { b: [1] } });
  for (const type of ['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data', 'x']) {
    const odd = await request(app)
      .patch('/echo')
      .set('Content-Type', type)
      .set('Content-Encoding', 'gzip')
      .send(Buffer.from([0xff, 0, 0xc3, 0x28]).toString('latin1'));
    assert.equal(odd.status, 200, type);
    assert.equal(odd.body.body.json, null);
  }
  await request(app).get('/echo?%ff=%&&=').expect(200);
  await request(app).delete('/echo').expect(200);
});

void test('echo reads a body that comes slowly, and refuses one that grows too large', async (t) => {
  const server = http.createServer(appWith().app).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const send = async (chunk: string, times: number): Promise<{ status: number; text: string }> => {
    const stream = new ReadableStream({
      async pull(controller) {
        await wait(20);
        if (times-- > 0) controller.enqueue(Buffer.from(chunk));
        else controller.close();
      },
    });
    const init = {
      method: 'POST',
      body: stream,
      duplex: 'half',
      signal: AbortSignal.timeout(5000),
    } as RequestInit;
    const res = await fetch(`http://127.0.0.1:${port}/echo`, init);
    return { status: res.status, text: await res.text() };
  };
  const whole = await send('abc', 5);
  assert.equal(whole.status, 200);
  assert.equal(JSON.parse(whole.text).body.text, 'abc'.repeat(5));
  assert.equal((await send('x'.repeat(400), 5)).status, 413);
});

void test('a slow answer comes in chunks and ends with done', async () => {
  const start = performance.now();
  const { text } = await request(appWith().app).get('/slow?ms=250').expect(200);
  assert.ok(performance.now() - start >= 240);
  assert.match(text, /^1 v1\n2 v1\n(.*\n)*done\n$/);
  for (const ms of ['-1', '30001', 'x', '1.5'])
    await request(appWith().app).get(`/slow?ms=${ms}`).expect(400);
});

void test('readyz names what does not answer, within its deadline', async () => {
  const database: Deps['database'] = { read: () => new Promise(() => {}) };
  const start = performance.now();
  const res = await request(appWith({ database }).app).get('/readyz').expect(503);
  assert.ok(performance.now() - start < 2000);
  assert.deepEqual(res.body.failed, ['mysql']);
  assert.deepEqual(res.body.checks, { mysql: 'no answer within 1000 ms' });
  const fine = await request(appWith().app).get('/readyz').expect(200);
  assert.deepEqual(fine.body.checks, { mysql: 'ok' });
  await request(appWith({ database }).app).get('/healthz').expect(200);
});
