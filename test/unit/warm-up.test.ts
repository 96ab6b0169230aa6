import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import request from 'supertest';
import { createMetrics, sum } from '../../app/observe/metrics.ts';
import { FIRST, REST, warmUpRoutes } from '../../app/web/warm-up.ts';
import { appWith } from '../support/app.ts';

void test('a child asks for its own routes before anybody else does, and neither log nor figures tell of it', async () => {
  const asked: string[] = [];
  const lines: string[] = [];
  const metrics = createMetrics('v1');
  const database = { read: async <T>(sql: string): Promise<T[]> => (asked.push(sql), []) };
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const { app, added } = appWith({ database, metrics, log });
  await warmUpRoutes(app, [...FIRST, ...REST]);
  assert.ok(asked.some((sql) => sql.includes('times')) && asked.includes('SELECT 1'), asked.join('; '));
  assert.deepEqual([lines, added], [[], []]);
  await request(app).get('/').expect(200);
  const { text } = await sum([await metrics.read()]);
  const counts = text.split('\n').filter((line) => line.startsWith('http_request_duration_seconds_count'));
  assert.equal(counts.length, 1);
  assert.match(counts[0] ?? '', /route="\/".* 1$/);
  assert.equal(lines.length, 1);
});

void test('a child whose own route fails does not become ready', async () => {
  const fault = { add: async () => 1, latest: () => Promise.reject(new Error('a fault')) };
  await assert.rejects(warmUpRoutes(appWith({ cheers: fault }).app, FIRST), /warm-up: \/ answered 500/);
  const database = {
    read: async (sql: string) => (sql === 'SELECT 1' ? Promise.reject(new Error('gone')) : []),
  };
  await assert.rejects(warmUpRoutes(appWith({ database }).app, REST), /warm-up: \/readyz answered 503/);
});
