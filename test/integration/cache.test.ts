import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Late, within } from '../../app/cache/deadline.ts';
import type { NamespaceOptions } from '../../app/cache/namespace.ts';
import { createNews } from '../../app/cache/news.ts';
import { openNode } from '../../app/cache/node.ts';
import { createMaster } from '../../app/cache/process.ts';
import { createShared, type Shared } from '../../app/cache/shared.ts';
import { survey } from '../../app/cache/survey.ts';
import { createLogger } from '../../app/log.ts';
import { docker, eventually, freePort } from '../support/containers.ts';

const LOG = createLogger('silent', {});
/** Where the deadline is not what is tested, a slow machine must not miss it. */
const PATIENT_MS = 10_000;
const ITEMS: NamespaceOptions = { name: 'items', version: 1, ttlSeconds: 100 };

/** A Redis in a container, at the same address after it was stopped and started. */
interface Server {
  url: string;
  container: string;
  /** Straight to it, past everything that is tested. */
  raw: Redis;
}

/** Names of all that were started, also of those that did not come up. */
const containers: string[] = [];

async function startServer(): Promise<Server> {
  const container = `test-${process.pid}-${randomBytes(3).toString('hex')}-cache`;
  containers.push(container);
  const port = await freePort();
  await docker(
    // prettier-ignore
    ['run', '--detach', '--name', container, '--publish', `127.0.0.1:${port}:6379`, '--memory', '96m',
      'redis:8.0', 'redis-server', '--save', ''],
  );
  const url = `redis://127.0.0.1:${port}`;
  const raw = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => 100 });
  raw.on('error', () => {});
  await eventually('Redis answers', () => raw.ping());
  return { url, container, raw };
}

void describe('the cache with real Redis', () => {
  let servers: [Server, Server];
  let shared: Shared;

  /** A cache that is connected to both. */
  async function connect(deadlineMs?: number): Promise<Shared> {
    const urls = servers.map(({ url }) => url);
    const made = createShared(urls, LOG, deadlineMs);
    await eventually('both nodes are up', async () =>
      made.stats().nodes.every(({ state }) => state === 'up'),
    );
    return made;
  }

  /** Stores numbers under the keys 0, 1, … and answers which keys each server has then. */
  async function fill(count: number): Promise<string[][]> {
    const items = shared.namespace<number>(ITEMS);
    const keys = Array.from({ length: count }, (_, n) => String(n));
    await Promise.all(keys.map((key) => items.get(key, () => Number(key))));
    await eventually('all is stored', async () => {
      const sizes = await Promise.all(servers.map(({ raw }) => raw.dbsize()));
      return sizes.reduce((sum, size) => sum + size) === count;
    });
    return Promise.all(servers.map(async ({ raw }) => (await raw.keys('*')).toSorted()));
  }

  before(async () => {
    servers = await Promise.all([startServer(), startServer()]);
  });

  after(async () => {
    shared?.close();
    for (const { raw } of servers ?? []) raw.disconnect();
    await docker(['rm', '--force', '--volumes', ...containers]);
  });

  beforeEach(async () => {
    await Promise.all(servers.map(({ raw }) => raw.flushall()));
    shared?.close();
    shared = await connect(PATIENT_MS);
  });

  void test('every key has a lifetime, shortened by jitter; one without is found', async () => {
    const keys = await fill(400);
    const lifetimes: number[] = [];
    for (const [n, { raw }] of servers.entries())
      for (const key of keys[n] ?? []) lifetimes.push(await raw.pttl(key));
    assert.equal(lifetimes.length, 400);
    assert.ok(Math.max(...lifetimes) <= 100_000, String(Math.max(...lifetimes)));
    assert.ok(Math.min(...lifetimes) > 60_000, 'also after a slow minute');
    assert.ok(Math.max(...lifetimes) - Math.min(...lifetimes) > 5000, 'they are spread');

    const urls = servers.map(({ url }) => url);
    const healthy = await survey(urls);
    assert.deepEqual(
      healthy.nodes.map(({ keys: seen, complete, problem }) => ({ seen, complete, problem })),
      keys.map((share) => ({ seen: share.length, complete: true, problem: null })),
    );
    const [items] = healthy.namespaces;
    assert.equal(healthy.namespaces.length, 1);
    assert.equal(items?.namespace, 'items:v1');
    assert.equal(items.keys, 400);
    assert.equal(items.withoutLifetime, 0);
    assert.equal(items.sampled, 200);
    assert.ok(items.bytes > 400 * 40 && items.bytes < 400 * 400, String(items.bytes));
    assert.ok((items.shortestMs ?? 0) > 60_000 && (items.longestMs ?? 0) <= 100_000);

    await servers[1].raw.set('items:v1:by-hand', '1'); // the control
    await servers[0].raw.set('views', '1');
    const ill = await survey(urls);
    assert.deepEqual(
      ill.namespaces.map(({ namespace, keys: count, withoutLifetime }) => [
        namespace,
        count,
        withoutLifetime,
      ]),
      [
        ['(other)', 1, 1],
        ['items:v1', 401, 1],
      ],
    );
  });

  void test('a survey looks at so many keys and no more, and says so', async () => {
    await fill(400);
    const { nodes, namespaces } = await survey(
      servers.map(({ url }) => url),
      { maxKeys: 50, sample: 10 },
    );
    assert.deepEqual(
      nodes.map(({ keys, complete, problem }) => ({ keys, complete, problem })),
      servers.map(() => ({ keys: 50, complete: false, problem: null })),
    );
    assert.equal(namespaces[0]?.keys, 100);
    assert.equal(namespaces[0]?.sampled, 10);
  });

  void test('a value is stored up to its size and not above', async () => {
    const small = shared.namespace<string>({ ...ITEMS, name: 'small', maxBytes: 1000 });
    const large = shared.namespace<string>({ ...ITEMS, name: 'large', maxBytes: 1002 });
    const text = 'x'.repeat(1000); // 1002 bytes of JSON
    assert.equal(await small.get('a', () => text), text);
    assert.equal(await large.get('a', () => text), text);
    assert.equal(await large.peek('a'), text); // the control
    assert.equal(await small.peek('a'), undefined);
    assert.equal(shared.stats().namespaces.small?.tooLarge, 1);
  });

  void test('a node that is gone costs its share and nothing else, and is used again when it is back', async () => {
    const [kept = [], lost = []] = await fill(200);
    assert.ok(kept.length > 50 && lost.length > 50, 'each has a share');
    const other = await connect(PATIENT_MS);
    try {
      const again = other.namespace<number>(ITEMS);
      const pass = async (): Promise<string[]> => {
        const computed: string[] = [];
        for (let n = 0; n < 200; n++) {
          const compute = () => (computed.push(`items:v1:${n}`), n);
          assert.equal(await again.get(String(n), compute), n);
        }
        return computed.toSorted();
      };
      assert.deepEqual(await pass(), [], 'the control: with both nodes nothing is missed');
      await docker(['kill', servers[1].container]);
      assert.deepEqual(await pass(), lost);
      assert.deepEqual(await pass(), lost, 'the other node does not take them over');
      const { nodes } = await survey(servers.map(({ url }) => url));
      assert.equal(nodes[0]?.problem, null);
      assert.match(nodes[1]?.problem ?? '', /ECONN|EPIPE|closed/);
      await docker(['start', servers[1].container]);
      await eventually('nothing is missed again', async () => (await pass()).length === 0);
    } finally {
      other.close();
      await docker(['start', servers[1].container]);
      await eventually('Redis answers', () => servers[1].raw.ping());
    }
  });

  void test('a node that hangs is a miss within the deadline, is left alone, and is used again', async () => {
    const impatient = await connect();
    const items = impatient.namespace<number>(ITEMS);
    const [, { container, raw }] = servers;
    const stateOf = () => impatient.stats().nodes[1]?.state;
    try {
      await docker(['pause', container]);
      const start = performance.now();
      const pass = async (goOn: () => boolean): Promise<void> => {
        for (let n = 0; n < 200 && goOn(); n++) assert.equal(await items.get(String(n), () => n), n);
      };
      await pass(() => stateOf() === 'up');
      const ms = performance.now() - start;
      assert.equal(stateOf(), 'resting', 'a few deadlines, long before the connection is given up at 2 s');
      assert.ok(ms < 1500, `${ms} ms`);
      await pass(() => true);
      await assert.rejects(within(200, raw.ping()), Late, 'the control: without a deadline one waits');
      await docker(['unpause', container]);
      await eventually('the node is used again', async () => {
        for (let n = 0; n < 50; n++) await items.get(String(n), () => n);
        return (await raw.dbsize()) > 0 && stateOf() === 'up';
      });
    } finally {
      impatient.close();
      await docker(['unpause', container]).catch(() => {}); // it mostly is
    }
  });

  void test('a process that was busy for longer than the deadline does not call its node slow', async () => {
    const node = openNode(servers[0].url, LOG, 100);
    try {
      await node.settled();
      await servers[0].raw.set('items:v1:a', '1', 'PX', 60_000);
      const control = Promise.race([servers[0].raw.ping(), wait(100, 'late')]);
      const reading = node.read('items:v1:a');
      for (const end = performance.now() + 500; performance.now() < end;);
      assert.equal(await control, 'late', 'the control: a timer alone is judge of a process, not of a node');
      assert.equal(await reading, '1');
      assert.equal(node.state(), 'up');
    } finally {
      node.close();
    }
  });

  void test('a change reaches the master data of other processes, also what was told while one was cut off', async () => {
    let value = 1;
    const load = async (): Promise<number> => value;
    const [one, two] = [createNews(servers[0].url, LOG), createNews(servers[0].url, LOG)];
    const options = { name: 'prices', log: LOG, maxAgeMs: 600_000 }; // age alone tells nobody
    const writer = createMaster(load, { ...options, news: one });
    const reader = createMaster(load, { ...options, news: two });
    const alone = createMaster(load, options);
    try {
      await Promise.all([one.settled(), two.settled()]);
      await Promise.all([writer.get(), reader.get(), alone.get()]);
      value = 2;
      await writer.invalidate();
      assert.equal(await writer.get(), 2);
      await eventually('the other process has it', async () => (await reader.get()) === 2);

      await docker(['kill', servers[0].container]);
      await eventually('both are cut off', async () => !one.connected() && !two.connected());
      value = 3;
      await writer.invalidate();
      assert.equal(await writer.get(), 3);
      assert.equal(await reader.get(), 2, 'it cannot know');
      await docker(['start', servers[0].container]);
      await eventually('it has loaded again', async () => (await reader.get()) === 3);
      assert.equal(await alone.get(), 1, 'the control: nobody tells it');
    } finally {
      for (const each of [writer, reader, alone, one, two]) each.close();
      await docker(['start', servers[0].container]);
      await eventually('Redis answers', () => servers[0].raw.ping());
    }
  });
});
