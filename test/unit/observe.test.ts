import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import request from 'supertest';
import { timed } from '../../app/observe/context.ts';
import { createMetrics, sum } from '../../app/observe/metrics.ts';
import { appWith } from '../support/app.ts';

function loggingApp() {
  const lines: Record<string, unknown>[] = [];
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as Record<string, unknown>);
      done();
    },
  });
  const database = {
    read: <T>(): Promise<T[]> => timed('db', () => new Promise((resolve) => setTimeout(resolve, 5, []))),
  };
  return { ...appWith({ log: pino(out), database }), lines };
}

void test('one line tells of each request, with its id, its status and where its time went', async () => {
  const { app, lines } = loggingApp();
  await request(app).get('/?a=1').set('X-Request-ID', 'r1').expect(200);
  await request(app).get('/nothing').expect(404);
  const [page, missing] = lines.filter(({ msg }) => msg === 'request');
  assert.deepEqual([page?.id, page?.method, page?.url, page?.status], ['r1', 'GET', '/?a=1', 200]);
  const parts = page?.parts as Record<string, number>;
  assert.ok(parts.db! >= 4 && parts.render! >= 0, JSON.stringify(parts));
  assert.equal(missing?.status, 404);
});

void test('the parts of the time are in the answer when they are asked for, and else not', async () => {
  const { app } = loggingApp();
  const asked = await request(app).get('/').set('X-Timing', '1').expect(200);
  assert.match(asked.headers['server-timing'] ?? '', /db;dur=[\d.]+, render;dur=[\d.]+, total;dur=[\d.]+/);
  assert.equal((await request(app).get('/')).headers['server-timing'], undefined);
});

void test('time spent outside a request belongs to none', async () => {
  assert.equal(await timed('db', async () => 7), 7);
});

void test('figures of several children are summed, and foreign paths are one route', async () => {
  const children = [createMetrics('v1'), createMetrics('v1')];
  for (const [index, metrics] of children.entries()) {
    const { app } = appWith({ metrics });
    await request(app).get('/').expect(200);
    await request(app).get(`/scan-${index}`).expect(404);
  }
  const { text } = await sum(await Promise.all(children.map((metrics) => metrics.read())));
  const count =
    /http_request_duration_seconds_count\{route="([^"]+)",method="GET",status="(\d+)",release="v1"\} (\d+)/g;
  assert.deepEqual(
    [...text.matchAll(count)].map(([, ...found]) => found),
    [
      ['/', '200', '2'],
      ['none', '404', '2'],
    ],
  );
});

void test('the figures are not for who comes through a proxy', async () => {
  const { app } = appWith();
  for (const name of ['X-Forwarded-For', 'Forwarded'])
    await request(app).get('/metrics').set(name, 'for=192.0.2.1').expect(404);
  await request(app).get('/metrics').expect(200);
});
