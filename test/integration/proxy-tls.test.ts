import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { execa } from 'execa';
import { servedCertificate } from '../../deployer/certificate.ts';
import { makePair } from '../support/certificates.ts';
import { docker, eventually, freePort, ROOT, startStack, type Stack } from '../support/containers.ts';
import { ask, raw, UPSTREAM, type Seen } from '../support/proxy.ts';
import { CAN, PROXIES } from '../support/proxies.ts';
import { Visitors } from '../support/tls-visitors.ts';

/** TLS, as the proxy speaks it and as `deploy certificate` changes it. */

const SWAPS = 5;

for (const proxy of PROXIES)
  void describe(`${proxy}, with TLS`, () => {
    const can = CAN[proxy];
    let stack: Stack;
    let folder: string;
    let port: number;
    let url: string;

    const fingerprint = async (): Promise<string> => (await servedCertificate(url)).fingerprint;

    /** Runs `deploy certificate`, with a pair for `name` when there is one. */
    async function certificate(name?: string, pair = name && makePair({ name })) {
      const files = pair ? [join(folder, 'chain.pem'), join(folder, 'key.pem')] : [];
      if (pair) {
        await writeFile(files[0] ?? '', pair.certificate);
        await writeFile(files[1] ?? '', pair.key);
      }
      const place = ['-f', join(ROOT, 'compose.yaml'), '-p', stack.project];
      const options = { env: stack.env, reject: false, timeout: 60_000, all: true } as const;
      return await execa(join(ROOT, 'bin/deploy'), [...place, 'certificate', ...files], options);
    }

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tasuki-tls-'));
      port = await freePort();
      url = `https://127.0.0.1:${port}`;
      stack = await startStack({
        services: ['proxy'],
        proxy,
        env: { HTTPS_PORT: String(port), PUBLIC_TLS_PORT: '443', HTTPS_REDIRECT: 'on' },
      });
      await stack.runInPod(UPSTREAM);
      await eventually(
        'the upstream answers',
        async () => (await ask(`${stack.url}/healthz`)).status === 200,
      );
    });
    after(async () => {
      await stack?.down();
      await rm(folder, { recursive: true, force: true });
    });

    void test('answers from its first start, with a certificate of its own making, HTTP/2, and the app is told of it', async () => {
      assert.equal((await servedCertificate(url)).isSelfMade, true);
      assert.match((await certificate()).stdout, /^for {6}localhost, .*made for trying it/s);
      const session = http2.connect(url, { rejectUnauthorized: false });
      const stream = session.request({ ':path': '/headers', ':authority': `shop.example:${port}` });
      const chunks: Buffer[] = await stream.toArray();
      session.close();
      const { headers } = JSON.parse(Buffer.concat(chunks).toString()) as Seen;
      assert.equal(headers['x-forwarded-proto'], 'https');
      assert.equal(headers.host, `shop.example:${port}`);
      if (can.tellTheHost) assert.match(headers.forwarded ?? '', /proto=https$/);
    });

    void test('speaks TLS 1.2 and 1.3 and nothing older', async () => {
      const versionOf = async (version: tls.SecureVersion): Promise<string | null> => {
        const ciphers = 'DEFAULT@SECLEVEL=0';
        const limits = { minVersion: version, maxVersion: version, ciphers };
        const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...limits });
        try {
          await once(socket, 'secureConnect');
          return socket.getProtocol();
        } finally {
          socket.destroy();
        }
      };
      assert.equal(await versionOf('TLSv1.3'), 'TLSv1.3');
      assert.equal(await versionOf('TLSv1.2'), 'TLSv1.2');
      await assert.rejects(versionOf('TLSv1.1'), /protocol version|alert|EPROTO|disconnected/i);
    });

    void test('with HTTPS_REDIRECT=on sends visitors to it, but neither the probe, nor a preview, nor an authority', async () => {
      const from = (path: string, headers = {}) =>
        ask(`${stack.url}${path}`, { headers: { host: 'shop.example:80', ...headers } });
      const sent = await from('/a/b?c=1');
      assert.equal(sent.status, 308);
      assert.equal(sent.headers['location'], 'https://shop.example/a/b?c=1');
      assert.equal((await from('/healthz')).status, 200);
      assert.equal((await from('/.well-known/acme-challenge/x')).status, 200);
      assert.equal((await from('/', { 'x-tasuki-preview': 'a'.repeat(32) })).status, 410);
      const strange = await from('/', { host: 'a~b' });
      if (can.mend) assert.match(strange.headers['location'] as string, /^https:\/\/localhost\//);
      else assert.equal(strange.status, 400);
      assert.equal((await from('/', { host: 'a"b' })).status, 400);
      const plain = await raw(port, 'GET /x HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n');
      if (!can.mend) assert.equal(plain, '');
      else assert.match(plain, /^HTTP\/1.1 308 [^]*Location: https:\/\/shop\.example\/x\r\n/);
    });

    void test('tells browsers to come back with TLS, but not those that try it on their own machine', async () => {
      const told = async (authority: string) => {
        const session = http2.connect(url, { rejectUnauthorized: false });
        const stream = session.request({ ':path': '/', ':authority': authority });
        const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
        session.destroy();
        return headers['strict-transport-security'];
      };
      assert.equal(await told('shop.example'), 'max-age=31536000');
      assert.equal(await told(can.mend ? `localhost:${port}` : 'localhost'), undefined);
      assert.equal((await ask(`${stack.url}/healthz`)).headers['strict-transport-security'], undefined);
    });

    void test('shows a new certificate to every new visitor, and not a request is lost', async () => {
      await using visitors = new Visitors(url);
      for (let n = 0; n < SWAPS; n++) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const { exitCode, stdout, all } = await certificate(`shop-${n}.example`);
        assert.equal(exitCode, 0, all);
        assert.match(stdout, new RegExp(`^for      shop-${n}\\.example\n`));
      }
      const { failed, answered } = await visitors.end();
      assert.deepEqual(failed, []);
      for (const [kind, count] of Object.entries(answered)) assert.ok(count > 100, `${kind}: ${count}`);
    });

    void test('control: the same visitors lose requests when the proxy is restarted instead', async () => {
      await using visitors = new Visitors(url);
      await stack.compose('restart', 'proxy');
      await eventually('it answers again', async () => (await fingerprint()) !== '');
      assert.notEqual((await visitors.end()).failed.length, 0);
    });

    void test('keeps the certificate it has when the new one is not good', async () => {
      const shown = await fingerprint();
      const [one, other] = [makePair({ name: 'a.example' }), makePair({ name: 'b.example' })];
      const run = await certificate('a.example', { certificate: one.certificate, key: other.key });
      assert.equal(run.exitCode, 2);
      assert.match(run.stderr, /the key is not that of the certificate/);
      assert.equal(await fingerprint(), shown);
    });

    void test('has the former certificate back when the new one is not shown in time', async () => {
      const shown = await fingerprint();
      const container = await stack.container('proxy');
      await docker(['pause', container]);
      const run = await certificate('late.example');
      await docker(['unpause', container]);
      assert.equal(run.exitCode, 1);
      assert.match(run.stderr, /it has been taken back/);
      await eventually('it answers again', async () => (await fingerprint()) === shown);
      await stack.compose('restart', 'proxy');
      await eventually('it reads the file again', async () => (await fingerprint()) === shown);
    });
  });
