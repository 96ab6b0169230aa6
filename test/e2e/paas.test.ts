import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { redisTls } from '../../app/addresses.ts';
import { loadConfig } from '../../app/config.ts';
import { createDatabase } from '../../app/db/pool.ts';
import { messageOf } from '../../app/errors.ts';
import { assertLoad } from '../support/load/index.ts';
import { docker } from '../support/containers.ts';
import { Dyno } from '../support/dyno.ts';
import { pushApp, WAYS, type Platform, type Way } from '../support/platform.ts';
import { ask } from '../support/proxy.ts';
import { KeptConnection, restartUnderLoad } from '../support/restart.ts';
import { KEEP_ALIVE_MS, Router } from '../support/router.ts';

/**
 * `git push heroku`, as far as it goes without the provider: a clean checkout, built by the Node buildpack's steps and as an
 * image; the release phase; dynos that have only what a provider gives, behind its router.
 */
void describe('git push heroku', () => {
  let platform: Platform;
  before(async () => void (platform = await pushApp()));
  after(async () => await platform?.[Symbol.asyncDispose]());

  void test('the release phase makes the tables once, and fails where the database refuses', async () => {
    const { addons, config } = platform;
    for (const way of WAYS) {
      const { exitCode, stdout, stderr } = await Dyno.run(platform.dyno(way, 'release.1'));
      assert.equal(exitCode, 0, stdout + stderr);
      const made = /database migrated/.test(stdout);
      assert.equal(made, way === 'buildpack', 'the first makes them, the second finds them');
      for (const [env, reason] of [
        [{ JAWSDB_URL: config.JAWSDB_URL!.replace('jaws:', 'nobody:') }, /refuses: Access denied/],
        [{ DATABASE_TLS: 'verify' }, /refuses: .*self-signed/], // its own certificate; waiting does not cure it
      ] as const) {
        const refused = await Dyno.run(platform.dyno(way, 'release.2', env));
        assert.equal(refused.exitCode, 1, way);
        assert.match(refused.stderr, reason);
      }
    }
    assert.equal((await addons.query("SHOW TABLES LIKE 'cheers'")).length, 1);
  });

  for (const way of WAYS) {
    void test(`${way}: the board is served through the router, and the log goes to stdout`, async () => {
      await using dyno = await Dyno.start(platform.dyno(way, 'web.1'));
      await using router = await Router.listen();
      router.add(await dyno.bound());
      assert.match((await ask(router.url)).text, /<\/html>/);
      const headers = { 'X-Forwarded-For': '6.6.6.6', 'X-Request-ID': 'asked-1' };
      const echo = await ask(`${router.url}/echo`, { headers });
      const { ip, protocol } = JSON.parse(echo.text) as Record<string, string>;
      const added = 'what the router added, not what the client said';
      assert.deepEqual([ip, protocol], ['127.0.0.1', 'https'], added);
      await dyno.says(/"id":"asked-1"/); // lines are written together, a moment later
      const { stdout, stderr } = await dyno.logs();
      for (const line of stdout.split('\n')) assert.equal((JSON.parse(line) as Line).level, 'info', line);
      assert.equal(stderr, '');
    });

    void test(`${way}: a dyno has no rights, no user of the image and nothing to write to`, async () => {
      await using dyno = await Dyno.start(platform.dyno(way, 'web.1'));
      await dyno.bound();
      const can = 'id -u; grep CapBnd /proc/self/status; touch /app/x 2>&1; touch /tmp/x && echo written';
      const answer = await docker(['exec', dyno.name, 'sh', '-c', can]);
      assert.match(answer, /^12345\nCapBnd:\s+0+\n.*Read-only file system\nwritten$/);
      const volumes = '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{end}}';
      const mounts = await docker(['inspect', '--format', volumes, dyno.name]);
      assert.equal(mounts.trim(), way === 'buildpack' ? 'bind /app false' : '');
    });
  }

  void describe('restarts', { concurrency: true }, () => {
    for (const way of WAYS) {
      void test(`${way}: a dyno that is restarted under load loses nothing and exits 0 in time`, async (t) => {
        const { report, judgement, exitCode, exitMs, log } = await restartUnderLoad(
          () => Dyno.start(platform.dyno(way, 'web.1')),
          (dyno) => dyno.stop(),
          platform.addons.query,
        );
        t.diagnostic(`${judgement.summary} · exit after ${exitMs} ms`);
        assertLoad(report, { atLeast: 500, updates: 50 });
        const failures = JSON.stringify(report.failures.slice(0, 5), null, 1);
        assert.ok(judgement.ok, `${judgement.summary}\n${failures}`);
        assert.equal(exitCode, 0, log);
        assert.ok(exitMs < 30_000, `${exitMs} ms`);
        assert.match(log, /"cut":0/);
      });
    }
  });

  void test('a dyno that is killed in place of being asked does lose requests, and the load sees it', async (t) => {
    const { report, judgement } = await restartUnderLoad(
      () => Dyno.start(platform.dyno('container', 'web.1')),
      async (dyno) => (await dyno.kill(), 137),
      platform.addons.query,
    );
    t.diagnostic(judgement.summary);
    assertLoad(report, { atLeast: 500, updates: 50 });
    assert.ok(!judgement.ok, judgement.summary);
  });

  void test('idle connections outlive the router, and a database that hangs is told before it gives up', async () => {
    const { addons } = platform;
    await using dyno = await Dyno.start(platform.dyno('buildpack', 'web.1'));
    await using router = await Router.listen();
    router.add(await dyno.bound());
    using kept = await KeptConnection.open(dyno.address);
    const first = await kept.ask();
    assert.ok(first.keptSeconds * 1000 > KEEP_ALIVE_MS, `${first.keptSeconds} s`);
    await addons.query('LOCK TABLES cheers WRITE');
    try {
      const { status, headers } = await ask(`${router.url}/update`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
        body: JSON.stringify({ text: 'into a table that is locked' }),
        headersTimeout: 60_000,
      });
      assert.equal(status, 503);
      assert.equal(headers['x-router-error'], undefined, "the app's answer, not the router's");
    } finally {
      await addons.query('UNLOCK TABLES');
    }
    assert.equal((await kept.ask()).status, 200, 'on the same connection, idle meanwhile');
  });

  void test('a server with the defaults of Node would not outlive the router, and one that is silent is told on', async () => {
    await using server = http.createServer((req, res) => req.url === '/healthz' && res.end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    using kept = await KeptConnection.open(address);
    const { status, keptSeconds } = await kept.ask();
    assert.equal(status, 200);
    assert.ok(keptSeconds * 1000 < KEEP_ALIVE_MS);
    await using router = await Router.listen({ firstByteMs: 200 });
    router.add(address);
    const late = await ask(`${router.url}/silence`);
    assert.deepEqual([late.status, late.headers['x-router-error']], [503, 'H12']);
  });

  for (const way of WAYS) {
    const redises = way === 'buildpack' ? 'one Redis' : 'two';
    void test(`${way}: jobs go from a web dyno to a worker and back, with ${redises}, over TLS`, async () => {
      const { redisUrl, plainRedisUrl, cacheUrl } = platform.addons;
      const env = { REDIS_URL: redisUrl, ...(way === 'container' && { CACHE_URL: cacheUrl }) };
      await using web = await Dyno.start(platform.dyno(way, 'web.1', env));
      await using worker = await Dyno.start(platform.dyno(way, 'worker.1', env));
      const { host, port } = await web.bound();
      await worker.says(/"msg":"serving"/);
      const asked = `http://${host}:${port}/aggregate?deadline=5000&delay=${way.length}`;
      const [first, again] = [await ask(asked), await ask(asked)].map(
        ({ text }) => JSON.parse(text) as Gathered,
      );
      assert.ok(first?.complete, JSON.stringify(first));
      assert.equal(again?.at, first.at, 'from the cache');
      const [durable, cache] = [await kindsOfKeys(plainRedisUrl), await kindsOfKeys(cacheUrl)];
      assert.ok(durable.has('jobs'));
      if (way === 'buildpack') assert.deepEqual([durable.has('aggregate'), cache.size], [true, 0]);
      else assert.ok(cache.has('aggregate') && !cache.has('jobs'), [...cache].join());
      const ctl = ['exec', web.name, ...ctlOf[way], 'cache'];
      assert.match(await docker(ctl), /aggregate:v1/);
      assert.equal(await worker.stop(), 0, JSON.stringify(await worker.logs()));
      for (const dyno of [worker, web])
        assert.doesNotMatch((await dyno.logs()).stdout, /"level":"(warn|error)"/);
    });
  }

  void test("an add-on's own certificate is believed where that is said, and only there", async () => {
    const { config } = platform;
    const answerOf = async (env: Record<string, string>): Promise<string> => {
      const { redisUrl } = loadConfig({ ...config, ...env });
      const redis = new Redis(redisUrl!, { ...redisTls(redisUrl!), lazyConnect: true, retryStrategy: null });
      let reason: unknown;
      redis.on('error', (error) => (reason = error));
      const answer = redis.connect().then(() => redis.ping());
      return await answer.catch(() => messageOf(reason)).finally(() => redis.disconnect());
    };
    const REDIS_URL = `${config.REDIS_URL}?ssl=no-verify`;
    assert.equal(await answerOf({ REDIS_TLS_VERIFY: 'false' }), 'PONG');
    assert.equal(await answerOf({ REDIS_TLS_VERIFY: 'true', REDIS_URL }), 'PONG');
    assert.match(await answerOf({ REDIS_TLS_VERIFY: 'true' }), /self-signed/);
  });

  void test('MySQL is spoken to in the clear or encrypted, as its URL says', async () => {
    const cipherOf = async (query: string): Promise<string | undefined> => {
      const { database } = loadConfig({ ...platform.config, JAWSDB_URL: platform.config.JAWSDB_URL + query });
      const { read, close } = createDatabase(database);
      try {
        return (await read<{ Value: string }>("SHOW SESSION STATUS LIKE 'Ssl_cipher'"))[0]?.Value;
      } finally {
        await close();
      }
    };
    assert.equal(await cipherOf(''), '');
    assert.match((await cipherOf('&ssl-mode=REQUIRED')) ?? '', /^TLS_/);
    await assert.rejects(cipherOf('&ssl=true'), /self-signed/);
  });
});

interface Line {
  level: string;
}

interface Gathered {
  complete: boolean;
  at: string;
}

/** The control command, where each way has it. */
const ctlOf: Record<Way, string[]> = {
  buildpack: ['node_modules/node/bin/node', 'dist/app/ctl.js'],
  container: ['node', 'ctl'],
};

/** What the keys in a Redis begin with. */
async function kindsOfKeys(url: string): Promise<Set<string>> {
  const redis = new Redis(url, { retryStrategy: null });
  try {
    return new Set((await redis.keys('*')).map((key) => key.replace(/:.*/, '')));
  } finally {
    redis.disconnect();
  }
}
