import assert from 'node:assert/strict';
import { test } from 'node:test';
import request from 'supertest';
import { Unavailable } from '../../app/errors.ts';
import type { Deps } from '../../app/web/app.ts';
import { appWith } from '../support/app.ts';

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
  for (const site of ['cross-site', 'same-site', 'odd'])
    await post().set('Sec-Fetch-Site', site).send({ text: 'x' }).expect(403);
  for (const origin of ['https://elsewhere.example', 'null', 'http://127.0.0.1:1'])
    await post().set('Origin', origin).send({ text: 'x' }).expect(403);
  assert.deepEqual(added, []);
});

void test('a page of this site may write, behind a proxy that ends TLS too, and so may a client that is no browser', async () => {
  const { app } = appWith();
  const post = () => request(app).post('/update').set('Accept', 'application/json');
  await post().set('Sec-Fetch-Site', 'same-origin').send({ text: 'x' }).expect(201);
  await post()
    .set('Host', 'race.example')
    .set('X-Forwarded-Proto', 'https')
    .set('Origin', 'https://race.example')
    .send({ text: 'x' })
    .expect(201);
  await post().send({ text: 'x' }).expect(201);
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

void test('a request that is late is answered 503, and what comes of it afterwards harms nothing', async () => {
  const late = Promise.withResolvers<never>();
  const cheers = { ...failing, latest: () => late.promise };
  const config = {
    trustProxy: 'loopback',
    bodyLimit: 1000,
    logLevel: 'silent',
    requestTimeoutMs: 100,
  } as const;
  const { app } = appWith({ cheers, config });
  const res = await request(app).get('/').set('Accept', 'application/json').expect(503);
  assert.equal(res.body.error.code, 'too_late');
  assert.equal(res.headers['retry-after'], '1');
  late.reject(new Error('too late for anybody'));
  await request(app).get('/healthz').expect(200);
  const stream = await request(app).get('/slow?ms=300').expect(200);
  assert.match(stream.text, /done\n$/, 'an answer that has begun is not cut');
});

void test('each request has its own time, whoever comes before and after it', async () => {
  const cheers = { ...failing, latest: () => new Promise<never>(() => {}) };
  const config = {
    trustProxy: 'loopback',
    bodyLimit: 1000,
    logLevel: 'silent',
    requestTimeoutMs: 150,
  } as const;
  const { app } = appWith({ cheers, config });
  const late = async (afterMs: number): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const start = performance.now();
    await request(app).get('/').expect(503);
    return performance.now() - start;
  };
  const all = Promise.all([0, 60, 120, 300].map(late));
  await request(app).get('/healthz').expect(200);
  for (const ms of await all) assert.ok(ms >= 145, `answered after ${ms} ms`);
});
