import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WaitingError, type Job } from 'bullmq';
import request from 'supertest';
import { Unavailable } from '../../app/errors.ts';
import { traced } from '../../app/jobs/traced.ts';
import { createLogger } from '../../app/log.ts';
import { carried, timed } from '../../app/observe/context.ts';
import { openTracing, tracingOf, type LateTracing } from '../../app/observe/tracing.ts';
import { appWith } from '../support/app.ts';
import { Receiver } from '../support/receiver.ts';

const PARENT = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const GIVEN = `00-${PARENT.trace}-${PARENT.span}-01`;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

void describe('tracing', { concurrency: false }, () => {
  let receiver: Receiver;
  let tracing: LateTracing;

  async function open(change: Record<string, string> = {}): Promise<void> {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...change };
    Object.assign(process.env, env); // the exporter reads its own
    tracing = openTracing(tracingOf(env, []), { role: 'web', release: 'v1' }, createLogger('silent', {}));
    await tracing.ready;
  }
  const tracedApp = (change: Parameters<typeof appWith>[0] = {}) =>
    appWith({
      tracing,
      database: { read: <T>(): Promise<T[]> => timed('db', () => pause(5).then(() => [])) },
      ...change,
    });
  const named = (name: string) => receiver.spans.filter((span) => span.name === name);

  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    await receiver[Symbol.asyncDispose]();
    await tracing?.close();
    for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
  });

  void test('a request is a span of the trace it came with, and its parts are spans within it', async () => {
    await open({ OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' });
    const before = Date.now();
    await request(tracedApp().app)
      .get('/?team=1')
      .set('traceparent', GIVEN)
      .set('X-Request-ID', 'r1')
      .expect(200);
    await tracing.close();
    assert.deepEqual(receiver.paths, ['/v1/traces']);
    const [span] = named('GET /');
    assert.ok(span);
    assert.deepEqual([span.kind, span.traceId, span.parentSpanId], [2, PARENT.trace, PARENT.span]);
    assert.equal(span.status, 0);
    const { attributes: told } = span;
    assert.equal(told['http.request.method'], 'GET');
    assert.equal(told['http.route'], '/');
    assert.equal(told['url.path'], '/');
    assert.equal(told['url.query'], 'team=1');
    assert.equal(told['url.scheme'], 'http');
    assert.equal(told['http.response.status_code'], 200);
    assert.equal(told['tasuki.request.id'], 'r1');
    assert.equal(span.resource['service.name'], 'tasuki-web');
    assert.equal(span.resource['service.version'], 'v1');
    assert.match(String(span.resource['service.instance.id']), new RegExp(`/v1/${process.pid}$`));
    assert.equal(span.resource['deployment.environment.name'], 'test');
    for (const part of ['db', 'render']) {
      const [step] = named(part);
      assert.ok(step, part);
      assert.deepEqual([step.traceId, step.parentSpanId], [PARENT.trace, span.spanId]);
      assert.ok(step.start >= span.start - 1 && step.end <= span.end + 1, 'a part lies within its request');
    }
    assert.ok(span.start >= before - 5 && span.end <= Date.now() + 5, 'spans tell the time of day');
  });

  void test('without a parent, or with one that makes no sense, a trace begins here', async () => {
    await open();
    const { app } = tracedApp();
    await request(app).get('/healthz').expect(200);
    for (const odd of ['x', `00-${'0'.repeat(32)}-${PARENT.span}-01`, `ff-${PARENT.trace}-${PARENT.span}-01`])
      await request(app).get('/healthz').set('traceparent', odd).set('tracestate', '=;,=').expect(200);
    await tracing.close();
    const ids = named('GET /healthz').map(({ traceId, parentSpanId }) => (assert.ok(!parentSpanId), traceId));
    assert.equal(new Set(ids).size, 4);
    assert.ok(!ids.includes(PARENT.trace));
  });

  void test('foreign paths are one name, and only what this side did wrong is an error', async () => {
    await open();
    const failing = {
      add: () => Promise.reject(new Unavailable('the database')),
      latest: () => Promise.reject(new Error('a fault')),
    };
    const { app } = tracedApp({ cheers: failing });
    await request(app).get('/scan-1?%').expect(404);
    await request(app).get('/').expect(500);
    await request(app).post('/update').send({ text: 'x' }).expect(503);
    await tracing.close();
    assert.equal(named('GET')[0]?.status, 0);
    assert.equal(named('GET')[0]?.attributes['http.route'], undefined);
    assert.deepEqual([named('GET /')[0]?.status, named('GET /')[0]?.attributes['error.type']], [2, '500']);
    assert.equal(named('POST /update')[0]?.attributes['error.type'], '503');
  });

  void test('what the caller does not keep is not kept here, and its jobs are told so', async () => {
    await open();
    const seen: unknown[] = [];
    const cheers = {
      add: async () => seen.push(carried()),
      latest: () => Promise.reject(new Error('not asked')),
    };
    const unsampled = GIVEN.replace(/01$/, '00');
    await request(tracedApp({ cheers }).app)
      .post('/update')
      .set('Accept', 'application/json')
      .set('traceparent', unsampled)
      .send({ text: 'x' })
      .expect(201);
    await tracing.close();
    assert.equal(receiver.spans.length, 0);
    const [{ telemetry }] = seen as [{ telemetry: { metadata: string } }];
    assert.match(telemetry.metadata, new RegExp(`^00-${PARENT.trace}-[0-9a-f]{16}-00$`));
  });

  for (const [sampler, kept] of [
    ['traceidratio', 0],
    ['parentbased_traceidratio', 1],
    ['always_off', 0],
    ['parentbased_always_off', 1],
    ['always_on', 1],
  ] as const)
    void test(`the sampler ${sampler}, told to keep nothing of its own, keeps ${kept} of a caller that is kept`, async () => {
      await open({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: '0' });
      const { app } = tracedApp();
      await request(app).get('/healthz').set('traceparent', GIVEN).expect(200);
      await tracing.close();
      assert.equal(receiver.spans.length, kept);
    });

  void test('the run of a job is a span of the trace that began it, and one that is put back is no error', async () => {
    await open();
    const began: { opts: object }[] = [];
    const cheers = {
      add: async () => began.push({ opts: carried() }),
      latest: () => Promise.reject(new Error('not asked')),
    };
    await request(tracedApp({ cheers }).app)
      .post('/update')
      .set('Accept', 'application/json')
      .send({ text: 'x' });
    const outcomes = [
      () => timed('db', () => pause(2)),
      () => Promise.reject(new TypeError('no')),
      () => Promise.reject(new WaitingError()),
    ];
    for (const [index, outcome] of outcomes.entries()) {
      const job = { ...began[0], id: `j${index}`, name: 'statistics', attemptsMade: index } as unknown as Job;
      await traced(async () => await outcome(), tracing)('race', job, new AbortController().signal).catch(
        () => {},
      );
    }
    await tracing.close();
    const [post] = named('POST /update');
    const runs = named('process statistics');
    assert.deepEqual(
      runs.map(({ traceId, parentSpanId, kind, status }) => [traceId, parentSpanId, kind, status]),
      [0, 2, 0].map((status) => [post?.traceId, post?.spanId, 5, status]),
    );
    assert.equal(runs[0]?.attributes['messaging.message.id'], 'j0');
    assert.equal(runs[1]?.attributes['error.type'], 'TypeError');
    assert.equal(
      named('db').some(({ parentSpanId }) => parentSpanId === runs[0]?.spanId),
      true,
    );
  });

  for (const [what, prepare] of [
    ['hangs', () => (receiver.hangs = true)],
    ['is down', () => receiver[Symbol.asyncDispose]()],
  ] as const)
    void test(`an endpoint that ${what} slows no request, and a drain by a second at most`, async () => {
      await open({ OTEL_EXPORTER_OTLP_TIMEOUT: '1500' });
      await prepare();
      const { app } = tracedApp();
      const start = performance.now();
      // More than one batch, so that sending begins while requests go on.
      for (let sent = 0; sent < 300; sent += 10)
        await Promise.all(Array.from({ length: 10 }, () => request(app).get('/').expect(200)));
      const each = (performance.now() - start) / 300;
      assert.ok(each < 100, `${each} ms for each request`);
      const closing = performance.now();
      await tracing.close();
      const took = performance.now() - closing;
      assert.ok(took < 2000, `closed after ${took} ms`);
      if (what === 'hangs') assert.ok(receiver.requests > 0, 'it was tried');
    });

  void test('where no endpoint is named none of the packages is loaded, and where one is they are', async () => {
    const script = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
      const root = ${JSON.stringify(new URL('../../app/', import.meta.url).href)};
      const { loadConfig } = await import(root + 'config.ts');
      const { createLogger } = await import(root + 'log.ts');
      const { createWeb } = await import(root + 'web/index.ts');
      const web = createWeb(loadConfig(process.env), 'v1', createLogger('silent', {}));
      await web.close();
      console.log(JSON.stringify(loaded.filter((url) => /@opentelemetry.(?!api.)|otlp/.test(url))));`;
    const loadedWith = async (env: Record<string, string>): Promise<string[]> => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '--eval', script],
        {
          env: { ...process.env, DATABASE_URL: 'mysql://u@127.0.0.1:1/d', ...env },
          cwd: fileURLToPath(new URL('../..', import.meta.url)),
        },
      );
      return JSON.parse(stdout) as string[];
    };
    assert.deepEqual(await loadedWith({}), []);
    assert.deepEqual(
      await loadedWith({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SDK_DISABLED: 'true' }),
      [],
    );
    const on = await loadedWith({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    assert.ok(on.some((url) => url.includes('@opentelemetry/sdk-trace/')) && on.length > 20, `${on.length}`);
  });

  void test('variables that make no sense are named, and count only where an endpoint is', () => {
    const wrong = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '2',
    };
    const problems: string[] = [];
    assert.equal(tracingOf(wrong, problems), undefined);
    assert.equal(problems.length, 0);
    tracingOf({ ...wrong, OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' }, problems);
    const variables = problems.map((problem) => problem.split(' ')[0]);
    assert.deepEqual(variables, [
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_TRACES_SAMPLER',
      'OTEL_TRACES_SAMPLER_ARG',
    ]);
    const endpoint = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/v1/traces' };
    assert.deepEqual(tracingOf(endpoint, problems), { sampler: 'parentbased_always_on', ratio: 1 });
    assert.equal(tracingOf({ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }, problems), undefined);
  });
});
