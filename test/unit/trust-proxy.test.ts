import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
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

/** The same over a unix socket, where a peer has no address. */
async function seenOverSocket(trusted: string): Promise<unknown> {
  const path = join(tmpdir(), `tasuki-trust-${process.pid}.sock`);
  const server = http.createServer(appThatTrusts(trusted)).listen(path);
  try {
    await once(server, 'listening');
    const req = http.get({ socketPath: path, headers: { 'X-Forwarded-For': '6.6.6.6, 203.0.113.9' } });
    const [res] = (await once(req, 'response')) as [http.IncomingMessage];
    return ((await json(res)) as unknown[])[0];
  } finally {
    server.close();
    server.closeAllConnections();
  }
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

void test('the proxy behind a unix socket is believed, and no address beyond it that is not configured', async () => {
  assert.equal(await seenOverSocket('loopback'), '203.0.113.9');
});

void test('by number, so many hops are believed wherever they are', async () => {
  assert.deepEqual(await seen(1), ['203.0.113.9', 'https']);
  assert.deepEqual(await seen(2), ['6.6.6.6', 'https']);
});
