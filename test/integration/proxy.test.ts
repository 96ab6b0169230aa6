import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { eventually, startStack, type Stack } from '../support/containers.ts';
import { ask, raw, see, UPSTREAM, type Seen } from '../support/proxy.ts';
import { CAN, PROXIES } from '../support/proxies.ts';

/** What the proxy as shipped tells the app, the client and the log. */

for (const proxy of PROXIES)
  void describe(`the proxy, ${proxy}`, () => {
    const can = CAN[proxy];
    let stack: Stack;

    before(async () => {
      stack = await startStack({ services: ['proxy'], proxy });
      await stack.runInPod(UPSTREAM);
      await eventually('the upstream answers', async () => (await ask(`${stack.url}/`)).status === 200);
    });
    after(async () => stack?.down());

    void test('what a client says about itself is replaced', async () => {
      const { headers } = await see(`${stack.url}/headers`, {
        headers: {
          Host: 'shop.example:8443',
          'X-Forwarded-For': '6.6.6.6',
          'X-Forwarded-Proto': 'https',
          'X-Forwarded-Host': 'evil.example',
          'X-Forwarded-Port': '1',
          'X-Forwarded-Prefix': '/evil',
          'X-Real-IP': '6.6.6.6',
          Forwarded: 'for=6.6.6.6',
          'X-Release': 'forged',
          Proxy: 'http://evil.example',
        },
      });
      const client = headers['x-forwarded-for'] ?? '';
      assert.equal(net.isIP(client), 4);
      assert.equal(headers['x-forwarded-proto'], 'http');
      assert.equal(headers.host, 'shop.example:8443');
      const told = [headers['x-real-ip'], headers['x-forwarded-host'], headers.forwarded];
      const forwarded = `for=${client};host="shop.example:8443";proto=http`;
      assert.deepEqual(
        told,
        can.tellTheHost ? [client, 'shop.example:8443', forwarded] : [undefined, undefined, undefined],
      );
      for (const name of ['x-release', 'proxy', 'x-forwarded-port', 'x-forwarded-prefix']) {
        assert.equal(headers[name], undefined, name);
      }
      assert.doesNotMatch(JSON.stringify(headers), /6\.6\.6\.6|evil/);
    });

    void test('a Host that could break the Forwarded header does not get into it', async () => {
      const answer = await raw(
        stack.port,
        'GET / HTTP/1.1\r\nHost: a"b;for=6.6.6.6\r\nConnection: close\r\n\r\n',
      );
      if (answer.startsWith('HTTP/1.1 200')) assert.doesNotMatch(answer, /host=\\"a"b/);
      else assert.match(answer, /^HTTP\/1.1 400 /);
      const old = await raw(stack.port, 'GET / HTTP/1.0\r\n\r\n');
      assert.match(old, /^HTTP\/1.1 200 /);
    });

    void test('a sane request id flows to the app, the client and the log; another is replaced', async () => {
      const kept = await ask(`${stack.url}/id`, { headers: { 'X-Request-ID': 'order-7.a_B' } });
      assert.equal((JSON.parse(kept.text) as Seen).headers['x-request-id'], 'order-7.a_B');
      assert.equal(kept.headers['x-request-id'], can.makeIds ? 'order-7.a_B' : 'from-the-app');
      for (const id of can.makeIds ? ['a b', '<i>', 'x'.repeat(65)] : []) {
        const made = await ask(`${stack.url}/id`, { headers: { 'X-Request-ID': id } });
        assert.match(String(made.headers['x-request-id']), /^[0-9a-f]{32}$/);
        assert.equal((JSON.parse(made.text) as Seen).headers['x-request-id'], made.headers['x-request-id']);
      }
      const line = await eventually('the line in the log', async () => {
        const lines = (await stack.logs('proxy')).split('\n');
        return lines.find((text) => text.includes('"order-7.a_B"'));
      });
      const {
        time,
        request_time: seconds,
        upstream_addr: address,
        ...logged
      } = JSON.parse(line) as Record<string, unknown>;
      assert.ok(Date.parse(String(time)) > 0);
      assert.equal(typeof seconds, 'number');
      assert.equal(address, can.makeIds ? '127.0.0.1:3000' : undefined);
      assert.equal(logged.method, 'GET');
      assert.equal(logged.uri, '/id');
      assert.equal(logged.status, 200);
      if (can.makeIds) assert.equal(logged.upstream_status, '200');
      assert.equal(logged.release, 'v1');
    });

    void test('a body over the limit is 413 and never reaches the app', async () => {
      const body = 'x'.repeat(1024 * 1024);
      assert.equal((await see(`${stack.url}/fits`, { method: 'POST', body })).length, body.length);
      const refused = await ask(`${stack.url}/large`, { method: 'POST', body: `${body}x` });
      assert.equal(refused.status, 413);
      assert.match(refused.text, /too large/);
      assert.equal((await see(`${stack.url}/`)).seen['/large'], undefined);
    });

    void test('no answer tells the version of anything', async () => {
      const answers = await Promise.all([
        ask(`${stack.url}/`),
        ask(`${stack.url}/large`, { method: 'POST', body: 'x'.repeat(2_000_000) }),
        ask(`${stack.url}/die`, { headers: { Accept: 'text/html' } }),
        ask(`${stack.url}/.proxy-error.json`),
        raw(stack.port, 'GARBAGE\r\n\r\n'),
        raw(
          stack.port,
          `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: ${'y'.repeat(40_000)}\r\n\r\n`,
        ),
        raw(stack.port, `GET /${'y'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`),
      ]);
      for (const answer of answers) {
        const text = JSON.stringify(answer);
        assert.doesNotMatch(text, /nginx\/|h2o|Fixture|<center>|1\.30\.|2\.2\./, text.slice(0, 300));
      }
    });

    void test('an error of the proxy itself is small JSON, or a page for a browser, with the request id', async () => {
      const json = await ask(`${stack.url}/die`, { headers: { 'X-Request-ID': 'e1' } });
      assert.equal(json.status, 502);
      assert.equal(json.headers['x-request-id'], can.makeIds ? 'e1' : undefined);
      assert.deepEqual(JSON.parse(json.text), {
        error: { code: 502, message: 'the app is not available', id: 'e1' },
      });
      const page = await ask(`${stack.url}/die`, {
        headers: { 'X-Request-ID': 'e2', Accept: 'text/html,*/*' },
      });
      assert.equal(page.status, 502);
      assert.match(page.text, /<code>e2<\/code>/);
      const own = await ask(`${stack.url}/own?status=503`);
      assert.equal(own.status, 503);
      assert.match(own.text, /"method":"GET"/, "the app's own error passes as it is");
    });
  });
