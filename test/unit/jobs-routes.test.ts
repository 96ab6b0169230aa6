import assert from 'node:assert/strict';
import { test } from 'node:test';
import request from 'supertest';
import { createJobs, type Asked, type Jobs, type WantedBatch } from '../../app/jobs/jobs.ts';
import { createLogger } from '../../app/log.ts';
import { createMetrics } from '../../app/observe/metrics.ts';
import { createApp, type Deps, type JobDeps } from '../../app/web/app.ts';

const LOG = createLogger('silent', {});
const TEAMS = [1, 2].map((id) => ({ id, name: `team ${id}`, area: 'Kanto', color: '#b3261e' }));

function appWith(jobs: Partial<Jobs> | null, change: Partial<JobDeps> = {}) {
  const lazy = jobs ? { get: async () => jobs as Jobs, close: async () => {} } : createJobs(undefined, LOG);
  const deps: Deps = {
    config: { trustProxy: 'loopback', bodyLimit: 1000, logLevel: 'silent', requestTimeoutMs: 10_000 },
    release: 'v1',
    log: LOG,
    metrics: createMetrics('v1'),
    database: { read: async () => [] },
    cheers: { add: async () => 1, latest: () => Promise.reject(new Error('not asked for')) },
    master: { get: async () => ({ teams: TEAMS, legs: [], runners: [] }) },
    limit: (_req, _res, next) => next(),
    work: {
      jobs: lazy,
      aggregates: { get: async (_key, compute) => await compute() },
      adminPassword: undefined,
      ...change,
    },
  };
  return createApp(deps);
}

test('without a queue the routes that need it answer 503 and say why', async () => {
  const app = appWith(null, { adminPassword: 'p' });
  const answers = [
    await request(app).get('/aggregate').set('Accept', 'application/json'),
    await request(app).post('/batches').set('Accept', 'application/json').send({}),
    await request(app)
      .get(`/batches/batch-${'0'.repeat(36)}`)
      .set('Accept', 'application/json'),
    await request(app).get('/admin/jobs').auth('x', 'p').set('Accept', 'application/json'),
  ];
  for (const { status, body } of answers) {
    assert.equal(status, 503);
    assert.match(body.error.message, /REDIS_URL is not set/);
  }
});

test('an aggregate asks all sources with what the query says, and tells what is missing', async () => {
  const calls: { asked: Asked[]; deadline: number }[] = [];
  const gather: Jobs['gather'] = async (asked, deadline) => {
    calls.push({ asked, deadline });
    return { ms: 5, values: { weather: 1 }, missing: [{ source: 'road', reason: 'late' }] };
  };
  const app = appWith({ gather });
  const { body } = await request(app)
    .get('/aggregate?deadline=700&delay=10&slow=leg-2&fail=road')
    .expect(200);
  assert.equal(body.complete, false);
  assert.deepEqual(body.missing, [{ source: 'road', reason: 'late' }]);
  const { asked, deadline } = calls[0]!;
  assert.equal(deadline, 700);
  assert.equal(asked.length, 12);
  assert.deepEqual(
    asked.find(({ source }) => source === 'leg-2'),
    { source: 'leg-2', delay: 500, fail: false },
  );
  assert.deepEqual(
    asked.filter(({ fail }) => fail).map(({ source }) => source),
    ['road'],
  );
  for (const query of ['deadline=49', 'deadline=5001', 'deadline=x', 'delay=-1', 'slow=moon', 'fail=moon'])
    await request(app).get(`/aggregate?${query}`).expect(400);
  assert.equal(calls.length, 1);
});

test('a batch takes what it is told within bounds, and nothing from another site', async () => {
  const wanted: WantedBatch[] = [];
  const app = appWith({
    startBatch: async (one) => (wanted.push(one), 'batch-x'),
    readBatch: async () => null,
  });
  const { headers, body } = await request(app).post('/batches').send({ pause: 20, fail: 2 }).expect(202);
  assert.equal(headers.location, '/batches/batch-x');
  assert.equal(body.parts, 2);
  await request(app).post('/batches').expect(202);
  await request(app).post('/batches').type('form').send('pause=7').expect(202);
  assert.deepEqual(wanted, [
    { teams: [1, 2], pause: 20, fail: 2 },
    { teams: [1, 2], pause: 0, fail: null },
    { teams: [1, 2], pause: 7, fail: null },
  ]);
  for (const wrong of [{ pause: -1 }, { pause: 5001 }, { pause: 'x' }, { fail: 3 }])
    await request(app).post('/batches').send(wrong).expect(400);
  await request(app).post('/batches').set('Sec-Fetch-Site', 'cross-site').send({}).expect(403);
  await request(app).get('/batches/x').expect(404);
  await request(app)
    .get(`/batches/batch-${'0'.repeat(36)}`)
    .expect(404);
});

test('the dashboard is not there without a password, and is behind it with one', async () => {
  await request(appWith({ queues: [] }))
    .get('/admin/jobs')
    .expect(404);
  const app = appWith({ queues: [] }, { adminPassword: 'secret' });
  await request(app)
    .get('/admin/jobs')
    .expect(401)
    .expect('WWW-Authenticate', /^Basic /);
  for (const wrong of ['', 'Secret', 'secret ', 'secrets', 'x'.repeat(5000)])
    await request(app).get('/admin/jobs').auth('any', wrong).expect(401);
  await request(app).get('/admin/jobs').set('Authorization', 'Bearer secret').expect(401);
  await request(app).get('/admin/jobs').set('Authorization', 'Basic c2VjcmV0').expect(401); // no colon
  await request(app).get('/admin/jobs').auth('any', 'secret').expect(200);
  await request(app)
    .put('/admin/jobs/api/x')
    .auth('any', 'secret')
    .set('Sec-Fetch-Site', 'cross-site')
    .expect(403);
});
