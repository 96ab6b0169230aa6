import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EngineState, judgeEngine, majorVersion, planInstall } from '../../setup/engine-state.ts';

const ready: EngineState = {
  server: '26.1.5+dfsg1',
  compose: '2.26.1-4',
  buildx: '0.13.1',
  daemonInstalled: true,
  vendorPackages: false,
  elsewhere: null,
  forbidden: false,
};

void test('an engine that answers, is new enough and has Compose and buildx is left alone', () => {
  assert.equal(judgeEngine(ready).kind, 'ready');
  assert.equal(judgeEngine({ ...ready, elsewhere: 'tcp://builder.invalid:2376' }).kind, 'ready');
  assert.equal(judgeEngine({ ...ready, vendorPackages: true }).kind, 'ready');
});

void test('an engine that is only stopped is started, not installed', () => {
  assert.equal(judgeEngine({ ...ready, server: null }).kind, 'start');
});

void test('a client without engine, Compose or buildx gets what it lacks', () => {
  const verdict = judgeEngine({
    ...ready,
    server: null,
    compose: null,
    buildx: null,
    daemonInstalled: false,
  });
  assert.deepEqual(verdict, { kind: 'install', missing: ['an engine that answers', 'Compose v2', 'buildx'] });
});

void test('an engine older than 25 and a Compose of the first generation are not enough', () => {
  assert.equal(judgeEngine({ ...ready, server: '24.0.9' }).kind, 'install');
  assert.equal(judgeEngine({ ...ready, server: '25.0.0' }).kind, 'ready');
  assert.equal(judgeEngine({ ...ready, compose: '1.29.2' }).kind, 'install');
});

void test("the vendor's own packages are never replaced by the distribution's", () => {
  const verdict = judgeEngine({ ...ready, vendorPackages: true, compose: null });
  assert.equal(verdict.kind, 'refuse');
});

void test('nothing is installed here for an engine elsewhere, or for a user who may not use the one here', () => {
  assert.equal(judgeEngine({ ...ready, server: null, elsewhere: 'ssh://host.invalid' }).kind, 'refuse');
  assert.equal(judgeEngine({ ...ready, server: null, forbidden: true }).kind, 'refuse');
});

void test('the major version is read from every form in which the parts print theirs', () => {
  assert.equal(majorVersion('26.1.5+dfsg1'), 26);
  assert.equal(majorVersion('v2.26.1-ds1'), 2);
  assert.equal(majorVersion('github.com/docker/buildx 0.13.1+ds1'), 0);
  assert.equal(majorVersion('dev'), -1);
});

void test('only Debian 12 takes packages from a newer suite, and an unknown system gets none', () => {
  assert.equal(planInstall({ id: 'debian', version: '12' })?.fromSuite, 'trixie');
  assert.equal(planInstall({ id: 'debian', version: '13' })?.fromSuite, null);
  assert.equal(planInstall({ id: 'debian', version: '' })?.fromSuite, null);
  assert.ok(planInstall({ id: 'ubuntu', version: '24.04' })?.packages.includes('docker-compose-v2'));
  assert.equal(planInstall({ id: 'debian', version: '11' }), null);
  assert.equal(planInstall({ id: 'fedora', version: '43' }), null);
});
