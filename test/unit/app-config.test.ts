import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../app/config.ts';
import { ConfigError } from '../../app/errors.ts';

const DATABASE_URL = 'mysql://tasuki@mysql/tasuki';

function problemsOf(env: Record<string, string>, args: string[] = []): string[] {
  try {
    loadConfig(env, args);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return assert.fail('the configuration was accepted');
}

void test('a database URL is all the configuration an app needs', () => {
  const config = loadConfig({ DATABASE_URL });
  assert.equal(config.role, 'web');
  assert.equal(config.port, 3000);
  assert.equal(config.host, '0.0.0.0');
  assert.equal(config.drainTimeoutMs, 25_000);
  assert.equal(config.bodyLimit, 1024 * 1024);
  assert.equal(config.trustProxy, 'loopback');
  assert.equal(config.release, undefined);
  assert.equal(config.redisUrl, undefined);
  assert.ok(config.children >= 1);
});

void test('an empty variable counts as not set', () => {
  const config = loadConfig({ DATABASE_URL, RELEASE: '', PORT: '', REDIS_URL: '' });
  assert.equal(config.release, undefined);
  assert.equal(config.port, 3000);
  assert.equal(config.redisUrl, undefined);
});

void test('every problem is reported at once, by the name of its variable', () => {
  const problems = problemsOf(
    {
      PORT: '0x1f',
      WEB_CONCURRENCY: '0',
      DATABASE_URL: 'postgres://x/y',
      REDIS_URL: 'http://redis',
      LOG_LEVEL: 'loud',
      BODY_LIMIT: 'much',
      RELEASE: 'a b',
      RUN_DIR: '/does/not/exist',
      DATABASE_PASSWORD_FILE: '/does/not/exist',
    },
    ['juggler'],
  );
  for (const name of ['PORT', 'WEB_CONCURRENCY', 'DATABASE_URL', 'REDIS_URL', 'LOG_LEVEL', 'BODY_LIMIT']) {
    assert.equal(
      problems.filter((problem) => problem.startsWith(`${name} `)).length,
      1,
      `${name}: ${problems.join(' | ')}`,
    );
  }
  for (const name of ['RELEASE', 'RUN_DIR', 'DATABASE_PASSWORD_FILE', 'role "juggler"']) {
    assert.ok(
      problems.some((problem) => problem.startsWith(name)),
      name,
    );
  }
});

void test('a missing database URL is named with an example', () => {
  assert.match(problemsOf({}).join(), /DATABASE_URL is required, for example mysql:/);
});

void test('the password comes from the file when there is one, without its line end', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tasuki-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'password');
  writeFileSync(file, 's3cret/\n');
  const { database } = loadConfig({
    DATABASE_URL: 'mysql://a%40b:old@[::1]:3307/c',
    DATABASE_PASSWORD_FILE: file,
  });
  assert.deepEqual(database, {
    host: '::1',
    port: 3307,
    user: 'a@b',
    password: 's3cret/',
    database: 'c',
    pool: 10,
  });
});

void test('sizes, hops and addresses are understood', () => {
  assert.equal(loadConfig({ DATABASE_URL, BODY_LIMIT: '512KB' }).bodyLimit, 512 * 1024);
  assert.equal(loadConfig({ DATABASE_URL, TRUST_PROXY: '1' }).trustProxy, 1);
  assert.equal(loadConfig({ DATABASE_URL, TRUST_PROXY: 'true' }).trustProxy, true);
  assert.equal(
    loadConfig({ DATABASE_URL, TRUST_PROXY: '10.0.0.0/8, loopback' }).trustProxy,
    '10.0.0.0/8, loopback',
  );
});

void test('a second word on the command line is refused', () => {
  assert.match(problemsOf({ DATABASE_URL }, ['web', 'fast']).join(), /unexpected argument "fast"/);
});

void test('LISTEN is "own", a socket with an absolute path that is not too long, or nothing', () => {
  for (const LISTEN of ['', 'own', 'unix:/run/tasuki/app.sock'])
    assert.doesNotThrow(() => loadConfig({ DATABASE_URL, LISTEN }));
  for (const LISTEN of [
    'unix:app.sock',
    '/run/app.sock',
    'tcp:3000',
    'unix:/run/',
    `unix:/${'x'.repeat(100)}`,
  ])
    assert.match(
      problemsOf({ DATABASE_URL, LISTEN }).join(),
      /^LISTEN must be own, or like unix:\/run\/tasuki\/app\.sock/,
    );
});
