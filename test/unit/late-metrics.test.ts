import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLateMetrics } from '../../app/observe/late-metrics.ts';
import { createMetrics, sum } from '../../app/observe/metrics.ts';

void test('figures told before their client is loaded are counted all the same, and loading waits until then', async () => {
  let loads = 0;
  const metrics = createLateMetrics(async () => {
    loads += 1;
    return createMetrics('v1');
  });
  metrics.gauge('chairs', 'Chairs', () => 4);
  metrics.begin();
  metrics.begin();
  metrics.end('/', 'GET', 200, 0.01);
  assert.equal(loads, 0);
  await metrics.open();
  metrics.begin();
  metrics.end('/', 'GET', 200, 0.01);
  const { text } = await sum([await metrics.read()]);
  assert.match(text, /http_request_duration_seconds_count\{[^}]*route="\/"[^}]*\} 2\n/);
  assert.match(text, /http_requests_running\{[^}]*\} 1\n/);
  assert.match(text, /chairs\{[^}]*\} 4\n/);
  assert.equal(loads, 1);
});

void test('who asks first is told what came before', async () => {
  const metrics = createLateMetrics(async () => createMetrics('v1'));
  metrics.begin();
  const { text } = await sum([await metrics.read()]);
  assert.match(text, /http_requests_running\{[^}]*\} 1\n/);
});
