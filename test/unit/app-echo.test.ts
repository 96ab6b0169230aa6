import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import request from 'supertest';
import { appWith } from '../support/app.ts';

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
  assert.deepEqual(res.body.body, { bytes: 9, text: '{"b":[1]}', json: { b: [1] }, form: null });
  assert.match(res.body.uuid, /^[0-9a-f-]{36}$/);
  assert.ok(Date.parse(res.body.time) > 0);
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
  const cookies = await request(app).get('/echo').set('Cookie', 'a=1; b=%C3%A9; =x; c; d=%ff; a=2');
  assert.deepEqual(cookies.body.cookies, { a: '2', b: 'é', d: '%ff' });
  const form = await request(app).post('/echo').type('form').send('a=1&a=2&b=%zz');
  assert.deepEqual(form.body.body.form, [
    ['a', '1'],
    ['a', '2'],
    ['b', '%zz'],
  ]);
  const upload = await request(app).post('/echo').field('x', 'y').attach('f', Buffer.from('abc'), 'a.txt');
  assert.deepEqual(upload.body.body.form, [
    ['x', 'y'],
    ['f', { file: 'a.txt', type: 'text/plain', bytes: 3 }],
  ]);
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
