import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redisTls } from '../../app/addresses.ts';
import { loadConfig } from '../../app/config.ts';
import { ConfigError } from '../../app/errors.ts';

/** What a hosting platform gives in place of compose.yaml. */

const JAWSDB_URL = 'mysql://jaws:p%40ss@jaws.example:3306/heap?reconnect=true';
const CLEARDB_DATABASE_URL = 'mysql://clear:pw@clear.example/heroku_1?reconnect=true';
const DATABASE_URL = 'mysql://tasuki@mysql/tasuki';

function problemsOf(env: Record<string, string>): string {
  try {
    loadConfig(env);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.join(' | ');
  }
  return assert.fail('the configuration was accepted');
}

void test('the database may come under the name of an add-on, in a fixed order', () => {
  const hostOf = (env: Record<string, string>) => loadConfig(env).database.host;
  assert.equal(hostOf({ CLEARDB_DATABASE_URL }), 'clear.example');
  assert.equal(hostOf({ CLEARDB_DATABASE_URL, JAWSDB_URL }), 'jaws.example');
  assert.equal(hostOf({ CLEARDB_DATABASE_URL, JAWSDB_URL, DATABASE_URL }), 'mysql');
  assert.equal(hostOf({ DATABASE_URL: '', JAWSDB_URL }), 'jaws.example');
});

void test('what an add-on appends for other clients is ignored', () => {
  assert.deepEqual(loadConfig({ JAWSDB_URL }).database, {
    host: 'jaws.example',
    port: 3306,
    user: 'jaws',
    password: 'p@ss',
    database: 'heap',
    pool: 10,
  });
});

void test('a bad URL is told by the name under which it came', () => {
  assert.match(problemsOf({ JAWSDB_URL: 'placeholder' }), /^JAWSDB_URL must look like mysql:/);
  assert.match(problemsOf({ DATABASE_URL: 'postgres://a@b/c', JAWSDB_URL }), /^DATABASE_URL must look like/);
  assert.match(problemsOf({ DYNO: 'web.1' }), /^DATABASE_URL is required/);
});

void test('TLS to MySQL is asked for in the URL or by a variable, which counts first', () => {
  const verified = { rejectUnauthorized: true, verifyIdentity: true };
  const encrypted = { rejectUnauthorized: false, verifyIdentity: false };
  const tlsOf = (query: string, env: Record<string, string> = {}) =>
    loadConfig({ DATABASE_URL: DATABASE_URL + query, ...env }).database.tls;
  assert.equal(tlsOf(''), undefined);
  assert.equal(tlsOf('?ssl=false&reconnect=true'), undefined);
  assert.deepEqual(tlsOf('?ssl=true'), verified);
  assert.deepEqual(tlsOf('?ssl-mode=REQUIRED'), encrypted);
  assert.deepEqual(tlsOf('?ssl-mode=VERIFY_CA'), { rejectUnauthorized: true, verifyIdentity: false });
  assert.deepEqual(tlsOf('?sslmode=require'), encrypted);
  assert.deepEqual(tlsOf('', { DATABASE_TLS: 'verify' }), verified);
  assert.deepEqual(tlsOf('?ssl=true', { DATABASE_TLS: 'no-verify' }), encrypted);
  assert.equal(tlsOf('?ssl=true', { DATABASE_TLS: 'off' }), undefined);
});

void test('a word for TLS that is not known is refused, not taken for none', () => {
  assert.match(problemsOf({ DATABASE_URL: `${DATABASE_URL}?ssl=tls13` }), /^DATABASE_URL .*ssl=/);
  assert.match(problemsOf({ DATABASE_URL, DATABASE_TLS: 'constructor' }), /^DATABASE_TLS must be/);
});

void test('one Redis is both durable and cache; a second one is the cache', () => {
  const one = loadConfig({ DATABASE_URL, REDIS_URL: 'redis://:a,b@one:6379' });
  assert.deepEqual([one.redisUrl, one.cacheUrls], ['redis://:a,b@one:6379', ['redis://:a,b@one:6379']]);
  const two = loadConfig({ DATABASE_URL, REDIS_URL: 'redis://one', CACHE_URL: 'redis://two,rediss://three' });
  assert.deepEqual([two.redisUrl, two.cacheUrls], ['redis://one', ['redis://two', 'rediss://three']]);
  assert.deepEqual(loadConfig({ DATABASE_URL }).cacheUrls, []);
});

void test('certificates of Redis are verified unless it is said that they cannot be', () => {
  const tlsOf = (env: Record<string, string>) => {
    const { redisUrl, cacheUrls } = loadConfig({ DATABASE_URL, DYNO: 'web.1', ...env });
    return [redisUrl!, ...cacheUrls].map((url) => redisTls(url).tls?.rejectUnauthorized);
  };
  const REDIS_URL = 'rediss://:p%2Fw@redis:6380';
  assert.deepEqual(tlsOf({ REDIS_URL }), [true, true]);
  assert.deepEqual(tlsOf({ REDIS_URL, REDIS_TLS_VERIFY: 'false' }), [false, false]);
  const CACHE_URL = 'redis://cache,rediss://far?ssl=verify';
  const some = tlsOf({ REDIS_URL, CACHE_URL, REDIS_TLS_VERIFY: 'false' });
  assert.deepEqual(
    some,
    [false, undefined, true],
    'no TLS where none is spoken; what a URL says itself counts',
  );
  const { redisUrl } = loadConfig({ DATABASE_URL, REDIS_URL, REDIS_TLS_VERIFY: 'false' });
  assert.equal(new URL(redisUrl!).password, 'p%2Fw');
});

void test('what a Redis URL or its variable says of TLS must make sense', () => {
  assert.match(
    problemsOf({ DATABASE_URL, REDIS_TLS_VERIFY: 'no' }),
    /REDIS_TLS_VERIFY must be true or false/,
  );
  for (const url of ['rediss://redis?ssl=off', 'rediss://redis?ssl=tls13', 'redis://redis?ssl=verify']) {
    assert.match(problemsOf({ DATABASE_URL, REDIS_URL: url }), /^REDIS_URL must look like/, url);
    assert.match(problemsOf({ DATABASE_URL, CACHE_URL: `redis://a,${url}` }), /^CACHE_URL must be/, url);
  }
});

void test('a dyno believes the last address that its router added, and another instance only its own machine', () => {
  assert.equal(loadConfig({ DATABASE_URL, DYNO: 'web.1' }).trustProxy, 1);
  assert.equal(loadConfig({ DATABASE_URL, DYNO: 'web.1' }).forwardedHost, false);
  assert.equal(loadConfig({ DATABASE_URL }).forwardedHost, true);
  assert.equal(loadConfig({ DATABASE_URL, DYNO: 'web.1', TRUST_PROXY: '2' }).trustProxy, 2);
  assert.equal(loadConfig({ DATABASE_URL }).trustProxy, 'loopback');
});
