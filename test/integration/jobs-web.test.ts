import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test, type TestContext } from 'node:test';
import type { Queue } from 'bullmq';
import request from 'supertest';
import { loadConfig } from '../../app/config.ts';
import { readBatch, startBatch } from '../../app/jobs/batches.ts';
import { runCommand } from '../../app/jobs/command.ts';
import type { BatchState } from '../../app/jobs/jobs.ts';
import { createLogger } from '../../app/log.ts';
import { createWeb, type Web } from '../../app/web/index.ts';
import { eventually } from '../support/containers.ts';
import { startJobs, type JobsStack } from '../support/jobs.ts';

/** The routes that use the job queues, with workers, on the real Redis and MySQL. */
void describe('requests that use jobs', { timeout: 500_000 }, () => {
  let jobs: JobsStack;
  let web: Web;

  before(async () => {
    jobs = await startJobs({ JOB_LOCK_MS: '5000', ADMIN_PASSWORD: 'open sesame', RATE_LIMIT: '0' });
  });
  after(async () => await jobs?.down());

  beforeEach(async () => {
    await jobs.clear();
    web = createWeb(loadConfig(jobs.env), 'v1', createLogger('silent', {}));
  });
  afterEach(async () => await web.close());

  const get = (path: string) => request(web.listener).get(path).set('Accept', 'application/json');

  async function command(...words: string[]): Promise<{ code: number; lines: Record<string, unknown>[] }> {
    let text = '';
    const code = await runCommand(jobs.env.REDIS_URL ?? '', words, { write: (more) => (text += more) });
    const lines = text.split('\n').filter((line) => line.startsWith('{'));
    return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  }

  void test('a batch shows its progress, waits for a part that failed, and ends when that is done again', async () => {
    const worker = await jobs.started();
    const post = await request(web.listener)
      .post('/batches')
      .set('X-Request-ID', 'who-asked')
      .send({ pause: 50, fail: 4 })
      .expect(202);
    const seen: number[] = [];
    const state = async (): Promise<BatchState> => {
      const { body } = await get(`/batches/${post.body.id}`).expect(200);
      seen.push(body.percent);
      return body as BatchState;
    };
    await eventually('a part has failed', async () => (await state()).failed === 1, 30_000);
    const stuck = await eventually('the others are done', async () => {
      const now = await state();
      return now.done === 19 ? now : null;
    });
    assert.equal(stuck.state, 'waiting-children');
    assert.deepEqual(
      stuck.open.map(({ team, state: now, attempts }) => [team, now, attempts]),
      [[4, 'failed', 3]],
    );
    assert.match(stuck.open[0]?.reason ?? '', /was asked to fail/);
    assert.ok(
      seen.some((percent) => percent > 0 && percent < 95),
      `progress: ${seen.join(' ')}`,
    );

    const failed = await command('failed');
    assert.deepEqual(
      failed.lines.map(({ id, name, attempts }) => [id, name, attempts]),
      [[`${post.body.id}-4`, 'statistics', 3]],
    );
    assert.deepEqual(await command('retry', String(failed.lines[0]?.id)), {
      code: 0,
      lines: [{ retried: `${post.body.id}-4`, name: 'statistics' }],
    });
    const over = await eventually('the batch is over', async () => {
      const now = await state();
      return now.state === 'completed' ? now : null;
    });
    assert.deepEqual([over.done, over.percent, over.open], [20, 100, []]);
    assert.equal((over.result as { teams: number }).teams, 20);
    await eventually('each run has a line with the id of the request: 21 done, 3 failed', async () => {
      const lines = worker.output.split('\n').filter((line) => line.includes('"requestId":"who-asked"'));
      const count = (message: string): number =>
        lines.filter((line) => line.includes(`"msg":"${message}"`)).length;
      return count('job') === 21 && count('job failed') === 3;
    });
    assert.equal((await command('retry', 'nothing')).code, 1);
    await get('/batches/batch-00000000-0000-4000-8000-000000000000').expect(404);
  });

  /** After the first read of this job, of whatever kind, the reader is held up until `happened`. */
  function hold(t: TestContext, id: string, happened: () => Promise<void>): Queue {
    const queue = Object.create(jobs.race) as Queue;
    let held: Promise<void> | undefined;
    for (const name of ['getJob', 'getJobState'] as const)
      t.mock.method(queue, name, async (asked: string) => {
        const read: unknown = await jobs.race[name](asked);
        if (asked === id) await (held ??= happened());
        return read;
      });
    return queue;
  }

  void test('a batch that ends while it is read is not called completed without its result', async (t) => {
    const id = await startBatch(jobs.redis, { teams: [1, 2], pause: 0, fail: null });
    const ends = async (): Promise<void> => {
      await jobs.started();
      await eventually('it has ended', async () => (await jobs.race.getJobState(id)) === 'completed');
    };
    const during = await readBatch(hold(t, id, ends), id);
    assert.equal(during?.state === 'completed', during?.result != null, JSON.stringify(during));
    const over = await readBatch(jobs.race, id);
    assert.ok(over);
    assert.deepEqual([over.state, (over.result as { teams: number }).teams], ['completed', 2]);
  });

  void test('a part that fails while it is read is not called failed without its reason', async (t) => {
    const id = await startBatch(jobs.redis, { teams: [1, 2], pause: 0, fail: 2 });
    const part = `${id}-2`;
    const fails = async (): Promise<void> => {
      await jobs.started();
      await eventually('it has failed', async () => (await jobs.race.getJobState(part)) === 'failed', 30_000);
    };
    const during = (await readBatch(hold(t, part, fails), id))?.open.find(({ team }) => team === 2);
    assert.ok(during, 'it is open');
    assert.ok(during.state !== 'failed' || during.reason !== null, JSON.stringify(during));
    const [over] = (await readBatch(jobs.race, id))?.open ?? [];
    assert.deepEqual([over?.team, over?.state, over?.attempts], [2, 'failed', 3]);
  });

  void test('an aggregate has what came in time and names what did not; nothing of it stays in Redis', async () => {
    await jobs.started();
    const whole = await get('/aggregate?deadline=3000&delay=10').expect(200);
    assert.equal(whole.body.complete, true);
    assert.equal(Object.keys(whole.body.values).length, 12);
    const part = await get('/aggregate?deadline=800&delay=40&slow=leg-3&fail=road').expect(200);
    assert.equal(part.body.complete, false);
    assert.deepEqual(part.body.missing, [
      { source: 'road', reason: 'road was asked to fail' },
      { source: 'leg-3', reason: 'late' },
    ]);
    assert.equal(Object.keys(part.body.values).length, 10);
    assert.ok(part.body.ms >= 790 && part.body.ms < 2500, `${part.body.ms} ms`);
    await jobs.stopAll();
    const none = await get('/aggregate?deadline=100').expect(200);
    assert.equal(none.body.missing.length, 12);
    await eventually('what nobody took is removed', async () => {
      const { waiting, active } = await jobs.sources.getJobCounts();
      return waiting === 0 && active === 0;
    });
    assert.deepEqual(
      (await jobs.redis.pubsub('CHANNELS', 'jobs:*')).length,
      1,
      'one channel for the whole child',
    );
  });

  void test('an aggregate is kept and told again while it is fresh', async () => {
    await jobs.started();
    const cached = createWeb(
      loadConfig({ ...jobs.env, CACHE_URL: `${jobs.env.REDIS_URL}/1` }),
      'v1',
      createLogger('silent', {}),
    );
    try {
      await cached.warmUp(); // the cache is opened after the boot
      const at = async (): Promise<string> =>
        (await request(cached.listener).get('/aggregate?delay=1').expect(200)).body.at as string;
      await eventually('it is told again', async () => (await at()) === (await at()));
      const plain = (await get('/aggregate?delay=1')).body.at;
      assert.notEqual(plain, (await get('/aggregate?delay=1')).body.at, 'the control: without a cache');
    } finally {
      await cached.close();
    }
  });

  void test('the memory of Redis stays bounded over 2,000 aggregates', async (t) => {
    await jobs.started();
    let asked = 0;
    const ask = async (): Promise<void> => {
      const n = asked++; // each another key and deadline
      const fail = n % 20 === 0 ? '&fail=road' : '';
      await get(`/aggregate?delay=0&deadline=${2000 + (n % 3000)}${fail}`).expect(200);
    };
    const many = async (count: number): Promise<void> => {
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let n = 0; n < count / 8; n++) await ask();
        }),
      );
    };
    const measure = async () => {
      const used = Number(/used_memory:(\d+)/.exec(await jobs.redis.info('memory'))?.[1]);
      const clients = /connected_clients:(\d+)/.exec(await jobs.redis.info('clients'))?.[1];
      return { used, keys: await jobs.redis.dbsize(), clients };
    };
    await many(2100); // the failed ones that are kept fill their bound of 100
    const [first, began] = [await measure(), performance.now()];
    await many(2000);
    const last = await measure();
    const rate = Math.round(2_000_000 / (performance.now() - began));
    t.diagnostic(`${JSON.stringify(first)} -> ${JSON.stringify(last)}, ${rate} aggregates/s`);
    assert.ok(last.used - first.used < 1_000_000, 'the memory grows');
    assert.ok(last.keys - first.keys <= 5, 'the keys grow');
    assert.equal(last.clients, first.clients, 'the connections grow');
  });

  void test('a worker says whether Redis and MySQL answer', async () => {
    const worker = await jobs.started();
    const ready = await worker.check('/readyz');
    assert.equal(ready.status, 200);
    assert.deepEqual(JSON.parse(ready.body).checks, { redis: 'ok', mysql: 'ok' });
    assert.equal((await worker.check('/healthz')).status, 200);
    await jobs.stack.compose('pause', 'redis');
    try {
      const ill = await worker.check('/readyz');
      assert.equal(ill.status, 503);
      assert.deepEqual(JSON.parse(ill.body).failed, ['redis']);
      assert.equal((await get('/aggregate?deadline=50')).status, 503);
    } finally {
      await jobs.stack.compose('unpause', 'redis');
    }
    await eventually('requests use it again', async () => (await get('/aggregate')).status === 200);
  });

  void test('the dashboard is behind its password, loads by its policy, and lets nobody else write', async () => {
    const page = (path: string, password: string) => request(web.listener).get(path).auth('any', password);
    await get('/admin/jobs').expect(401).expect('WWW-Authenticate', /Basic/);
    await page('/admin/jobs', 'wrong').expect(401);
    const { text, headers } = await page('/admin/jobs', 'open sesame').expect(200);
    assert.match(headers['content-security-policy'] ?? '', /script-src 'self';/);
    const scripts = [...text.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, src]) => src);
    assert.ok(scripts.length > 0 && scripts.every((src) => !/^https?:|^\/\//.test(src ?? '')));
    for (const src of scripts) await page(`/admin/jobs/${src}`, 'open sesame').expect(200);
    const { body } = await page('/admin/jobs/api/queues', 'open sesame').expect(200);
    assert.deepEqual(
      (body.queues as { name: string }[]).map(({ name }) => name),
      ['race', 'sources'],
    );
    await request(web.listener)
      .put('/admin/jobs/api/queues/race/pause')
      .auth('any', 'open sesame')
      .set('Sec-Fetch-Site', 'cross-site')
      .expect(403);
    const closed = createWeb(
      loadConfig({ ...jobs.env, ADMIN_PASSWORD: '' }),
      'v1',
      createLogger('silent', {}),
    );
    try {
      await request(closed.listener).get('/admin/jobs').auth('any', '').expect(404);
    } finally {
      await closed.close();
    }
  });
});
