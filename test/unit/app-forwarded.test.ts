import assert from 'node:assert/strict';
import { test } from 'node:test';
import request from 'supertest';
import { loadConfig } from '../../app/config.ts';
import { appWith } from '../support/app.ts';

/** What the app takes for the client's, from a peer at 127.0.0.1 that says `headers`. */
async function seen(env: Record<string, string>, headers: Record<string, string>) {
  const config = loadConfig({ DATABASE_URL: 'mysql://u@h/d', ...env });
  const { app } = appWith({ config });
  const res = await request(app).get('/echo').set('Host', 'app.example').set(headers).expect(200);
  const { ip, protocol, host } = res.body as Record<string, string>;
  return { ip: ip?.replace('::ffff:', ''), protocol, host };
}

const FORGED = {
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'evil.example',
  Forwarded: 'for=6.6.6.6;host=evil.example;proto=https',
  'X-Real-IP': '6.6.6.6',
};
const ITSELF = { ip: '127.0.0.1', protocol: 'http', host: 'app.example' };

void test('a peer that is no configured proxy is believed nothing', async () => {
  for (const TRUST_PROXY of ['10.0.0.0/8', '192.0.2.1', 'false', '0', 'uniquelocal'])
    assert.deepEqual(await seen({ TRUST_PROXY }, FORGED), ITSELF, TRUST_PROXY);
});

void test('headers that no proxy here sets are believed from nobody', async () => {
  const { Forwarded, 'X-Real-IP': real } = FORGED;
  assert.deepEqual(await seen({}, { Forwarded, 'X-Real-IP': real }), ITSELF);
});

void test('nginx, on the loopback of the pod, says whose request it is, by which protocol and to which host', async () => {
  assert.deepEqual(
    await seen(
      {},
      {
        'X-Forwarded-For': '192.0.2.7',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'shop.example:8443',
      },
    ),
    { ip: '192.0.2.7', protocol: 'https', host: 'shop.example:8443' },
  );
});

void test('of several addresses the last that is no configured proxy is the client, whatever stands before it', async () => {
  const chain = { 'X-Forwarded-For': '6.6.6.6, 192.0.2.7, 10.0.0.2' };
  assert.equal((await seen({ TRUST_PROXY: 'loopback, 10.0.0.0/8' }, chain)).ip, '192.0.2.7');
  assert.equal((await seen({ TRUST_PROXY: 'loopback' }, chain)).ip, '10.0.0.2');
  assert.equal((await seen({ TRUST_PROXY: '2' }, chain)).ip, '192.0.2.7');
});

void test("the platform's router says address and protocol; what a client says before it, and of the host, is not believed", async () => {
  const headers = { ...FORGED, 'X-Forwarded-For': '6.6.6.6, 192.0.2.7' };
  assert.deepEqual(await seen({ DYNO: 'web.1' }, headers), {
    ip: '192.0.2.7',
    protocol: 'https',
    host: 'app.example',
  });
  const believed = await seen({ DYNO: 'web.1', FORWARDED_HOST: 'true' }, headers);
  assert.equal(believed.host, 'evil.example', 'the control');
});

void test('a page of another site cannot pass for this one by a forged host', async () => {
  const config = loadConfig({ DATABASE_URL: 'mysql://u@h/d', TRUST_PROXY: '10.0.0.0/8' });
  const { app, added } = appWith({ config });
  await request(app)
    .post('/update')
    .set({ ...FORGED, Origin: 'https://evil.example' })
    .send({ text: 'x' })
    .expect(403);
  assert.deepEqual(added, []);
});
