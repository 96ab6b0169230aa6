import assert from 'node:assert/strict';
import { test } from 'node:test';
import express from 'express';
import request from 'supertest';
import { trustProxy } from '../../app/web/trust-proxy.ts';

function appThatTrusts(trusted: boolean | number | string) {
  const app = express();
  trustProxy(app, trusted);
  app.get('/', (req, res) => void res.json([req.ip?.replace('::ffff:', ''), req.protocol]));
  return app;
}

async function seen(trusted: boolean | number | string): Promise<unknown> {
  const app = appThatTrusts(trusted);
  const ask = async () =>
    (
      await request(app)
        .get('/')
        .set({ 'X-Forwarded-For': '6.6.6.6, 203.0.113.9', 'X-Forwarded-Proto': 'https' })
    ).body as unknown;
  const first = await ask();
  assert.deepEqual(await ask(), first, 'remembered as it was answered');
  return first;
}

void test('the word of a configured proxy is taken, up to the first address that is none', async () => {
  assert.deepEqual(await seen('loopback'), ['203.0.113.9', 'https']);
  assert.deepEqual(await seen('loopback, 203.0.113.0/24'), ['6.6.6.6', 'https']);
});

void test('the word of anybody else is not', async () => {
  assert.deepEqual(await seen('10.0.0.0/8'), ['127.0.0.1', 'http']);
  assert.deepEqual(await seen(false), ['127.0.0.1', 'http']);
});

void test('by number, so many hops are believed wherever they are', async () => {
  assert.deepEqual(await seen(1), ['203.0.113.9', 'https']);
  assert.deepEqual(await seen(2), ['6.6.6.6', 'https']);
});
