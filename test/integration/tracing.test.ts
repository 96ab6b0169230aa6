import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import request from 'supertest';
import { loadConfig } from '../../app/config.ts';
import { createLogger } from '../../app/log.ts';
import { createWeb } from '../../app/web/index.ts';
import { eventually } from '../support/containers.ts';
import { startJobs, type JobsStack } from '../support/jobs.ts';
import { Receiver } from '../support/receiver.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';

/** Web and worker role with a receiver of traces, on the real MySQL and Redis. */
void describe('traces', { timeout: 300_000 }, () => {
  let jobs: JobsStack;
  let receiver: Receiver;

  before(async () => {
    jobs = await startJobs({ RATE_LIMIT: '0' });
  });
  after(async () => await jobs?.down());
  beforeEach(async () => {
    await jobs.clear();
    receiver = await Receiver.start();
    process.env[ENDPOINT] = receiver.url; // the exporter reads it itself
  });
  afterEach(async () => {
    delete process.env[ENDPOINT];
    await receiver[Symbol.asyncDispose]();
  });

  async function runBatch(): Promise<void> {
    const env = { ...jobs.env, [ENDPOINT]: receiver.url };
    const web = createWeb(loadConfig(env), 'v1', createLogger('silent', {}));
    try {
      await web.warmUp();
      const { body } = await request(web.listener)
        .post('/batches')
        .set('traceparent', `00-${TRACE}-00f067aa0ba902b7-01`)
        .send({})
        .expect(202);
      await eventually(
        'the batch is done',
        async () => (await request(web.listener).get(`/batches/${body.id}`)).body.state === 'completed',
        30_000,
      );
    } finally {
      await web.close();
    }
  }

  void test('a request and the jobs it began are one trace, from the client to the database of the worker', async () => {
    const worker = jobs.start({ [ENDPOINT]: receiver.url, WEB_CONCURRENCY: '1' });
    await worker.takesJobs();
    await runBatch();
    worker.kill('SIGTERM');
    assert.equal(await worker.ended(), 0, worker.output);

    const named = (name: string) => receiver.spans.filter((span) => span.name === name);
    const [post] = named('POST /batches');
    assert.equal(post?.traceId, TRACE);
    const parts = named('process statistics');
    assert.equal(parts.length, 20, 'none is lost when a worker leaves');
    for (const run of [...parts, ...named('process batch')]) {
      assert.deepEqual([run.traceId, run.parentSpanId, run.status], [TRACE, post?.spanId, 0]);
      assert.equal(run.resource['service.name'], 'tasuki-worker');
    }
    assert.equal(named('process batch').length, 1);
    assert.ok(named('db').some(({ parentSpanId }) => parentSpanId === parts[0]?.spanId));
    assert.equal(named('GET /').length, 0, 'the warm-up is in no trace');
  });

  void test('a receiver that hangs holds up no instance that leaves', async () => {
    const worker = jobs.start({ [ENDPOINT]: receiver.url, WEB_CONCURRENCY: '1' });
    await worker.takesJobs();
    receiver.hangs = true;
    await runBatch();
    const start = performance.now();
    worker.kill('SIGTERM');
    assert.equal(await worker.ended(), 0, worker.output);
    assert.ok(performance.now() - start < 5000, `${performance.now() - start} ms`);
    assert.equal(receiver.spans.length, 0);
    assert.ok(receiver.requests >= 2, 'both roles tried');
  });
});
