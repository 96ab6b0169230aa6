import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { docker, eventually, startStack, type Stack } from '../support/containers.ts';
import { ask, raw, see, UPSTREAM } from '../support/proxy.ts';
import { CAN, PROXIES } from '../support/proxies.ts';

/** How the proxy as shipped deals with the connections to the app. */

for (const proxy of PROXIES)
  void describe(`${proxy} and its upstream`, () => {
    let stack: Stack;
    let upstream: string;

    before(async () => {
      stack = await startStack({ services: ['proxy'], proxy });
      upstream = await stack.runInPod(UPSTREAM);
      await eventually('the upstream answers', async () => (await ask(`${stack.url}/`)).status === 200);
    });
    after(async () => stack?.down());

    void test('a request cut by the app is tried again when that is safe, and a POST never', async () => {
      await ask(`${stack.url}/die/get`);
      await ask(`${stack.url}/die/post`, { method: 'POST', body: 'x' });
      const { seen } = await see(`${stack.url}/`);
      assert.equal(seen['/die/get'], CAN[proxy].sendAgain ? 2 : 1);
      assert.equal(seen['/die/post'], 1);
    });

    void test('a WebSocket passes, and no other upgrade does', async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${stack.port}/socket`);
      const frame = Promise.withResolvers<void>();
      socket.addEventListener('open', () => frame.resolve());
      socket.addEventListener('error', () => frame.reject(new Error('the WebSocket did not open')));
      await frame.promise;
      socket.close();
      const h2c = await see(`${stack.url}/h2c`);
      assert.equal(h2c.headers.upgrade, undefined);
      const forged = await raw(
        stack.port,
        'GET /u HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n',
      );
      assert.match(forged, /^HTTP\/1.1 200 /);
      assert.doesNotMatch(forged, /"upgrade"/);
    });

    void test('a slow upload does not hold the app: it hears of the request when the body is whole', async () => {
      const req = http.request(`${stack.url}/upload`, { method: 'POST', headers: { 'Content-Length': 6 } });
      const answered = once(req, 'response') as Promise<[http.IncomingMessage]>;
      req.write('abc');
      assert.equal((await see(`${stack.url}/`)).seen['/upload'], undefined);
      req.end('def');
      const [res] = await answered;
      res.resume();
      assert.equal(res.statusCode, 200);
      assert.equal((await see(`${stack.url}/`)).seen['/upload'], 1);
    });

    void test('connections to the app are kept open, or opened for each request when told so', async () => {
      const count = async (): Promise<number> => {
        const first = await see(`${stack.url}/`);
        for (let i = 0; i < 20; i++) await ask(`${stack.url}/`);
        return (await see(`${stack.url}/`)).connections - first.connections;
      };
      assert.ok((await count()) <= 4, 'kept open');
      const recreate = ['up', '--detach', '--wait', '--no-deps', 'proxy'];
      stack.env.UPSTREAM_KEEPALIVE = '0';
      try {
        await stack.compose(...recreate);
        await eventually('the proxy answers', async () => (await ask(`${stack.url}/`)).status === 200);
        assert.equal(await count(), 21);
      } finally {
        delete stack.env.UPSTREAM_KEEPALIVE;
      }
      await stack.compose(...recreate);
    });

    void test('without an app the proxy answers 502 at once, and it serves again when the app is there', async () => {
      await docker(['stop', '--time', '1', upstream]);
      const start = performance.now();
      assert.equal((await ask(`${stack.url}/`)).status, 502);
      assert.ok(performance.now() - start < 2000);
      await docker(['start', upstream]);
      await eventually('the app answers again', async () => (await ask(`${stack.url}/`)).status === 200);
    });

    void test('when the pod dies the proxy follows it into its new namespace', async () => {
      const pid = Number(
        await docker(['inspect', '--format', '{{.State.Pid}}', await stack.container('pod')]),
      );
      process.kill(pid, 'SIGKILL');
      await eventually('the proxy notices', async () =>
        (await stack.logs('proxy')).includes('the network interface is gone'),
      );
      await eventually('the proxy answers on the published port', () => ask(`${stack.url}/`), 20_000);
    });
  });
