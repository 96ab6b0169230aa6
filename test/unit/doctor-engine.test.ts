import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  judgeEngine,
  judgeLiveRestore,
  judgeLogs,
  judgePlugin,
  judgeRestart,
  judgeRunning,
  judgeSameEngine,
} from '../../deployer/doctor/engine.ts';

void test('an engine from 25 on is fine, an older one is not', () => {
  assert.deepEqual(judgeEngine(undefined, '26.1.5+dfsg1'), { level: 'ok', found: 'engine 26.1.5+dfsg1' });
  assert.equal(judgeEngine(undefined, '24.0.7').level, 'fail');
});

void test('an engine that cannot be reached says why and what to do', () => {
  const lack = { why: 'no permission', detail: 'no permission on the socket', advice: 'join the group' };
  const { level, found, advice } = judgeEngine(lack, undefined);
  assert.deepEqual(
    { level, found, advice },
    { level: 'fail', found: 'engine: no permission on the socket', advice: 'join the group' },
  );
});

void test('a plugin that is missing or too old is as bad as it is needed', () => {
  assert.equal(judgePlugin('compose', '2.26.1-4', [2, 20], 'fail').level, 'ok');
  assert.equal(judgePlugin('compose', '2.6.0', [2, 20], 'fail').level, 'fail');
  assert.equal(judgePlugin('compose', null, [2, 20], 'fail').level, 'fail');
  assert.equal(judgePlugin('buildx', null, [0, 0], 'warn').level, 'warn');
  assert.equal(judgePlugin('buildx', 'v0.13.1', [0, 0], 'warn').found, 'docker buildx 0.13.1');
});

void test('the docker command must talk to the engine that deploy talks to', () => {
  assert.equal(judgeSameEngine('a', 'a', '').level, 'ok');
  const other = judgeSameEngine('a', 'b', 'production');
  assert.equal(other.level, 'fail');
  assert.match(other.found, /production/);
});

void test('live-restore is only a hint, and only where it can be had', () => {
  assert.equal(judgeLiveRestore({ LiveRestoreEnabled: true }).advice, undefined);
  assert.match(judgeLiveRestore({ LiveRestoreEnabled: false }).advice!, /daemon\.json/);
  assert.equal(
    judgeLiveRestore({ LiveRestoreEnabled: false, Swarm: { LocalNodeState: 'active' } }).advice,
    undefined,
  );
  assert.equal(judgeLiveRestore({ LiveRestoreEnabled: false }).level, 'ok');
});

void test('a log without a limit is named', () => {
  const limited = { name: 'a', driver: 'json-file', options: { 'max-size': '10m' } };
  const endless = { name: 'b', driver: 'json-file', options: {} };
  const journal = { name: 'c', driver: 'journald', options: {} };
  assert.equal(judgeLogs([limited, journal]).level, 'ok');
  const verdict = judgeLogs([limited, endless, journal]);
  assert.equal(verdict.level, 'warn');
  assert.equal(verdict.found, 'logs without a limit: b');
});

void test('a running container without a restart policy is named', () => {
  const good = { name: 'a', policy: 'unless-stopped' };
  assert.equal(judgeRestart([good, { name: 'parked', policy: 'on-failure' }]).level, 'ok');
  const verdict = judgeRestart([good, { name: 'b', policy: 'no' }]);
  assert.equal(verdict.level, 'warn');
  assert.match(verdict.found, /: b$/);
});

void test('a container that does not run is named with the reason', () => {
  const life = { name: 'a', status: 'running', exitCode: 0, policy: 'always', error: '' };
  assert.equal(judgeRunning([life]).level, 'ok');
  assert.equal(judgeRunning([{ ...life, status: 'exited', policy: 'no' }]).level, 'ok');
  assert.equal(judgeRunning([{ ...life, status: 'exited' }]).found, 'a is exited (exit code 0)');
  assert.equal(
    judgeRunning([{ ...life, status: 'restarting', exitCode: 1 }]).found,
    'a is restarting (exit code 1)',
  );
  assert.equal(
    judgeRunning([{ ...life, status: 'created', error: 'port is taken' }]).found,
    'a is created (port is taken)',
  );
  assert.equal(judgeRunning([{ ...life, status: 'paused' }]).advice, 'docker unpause a');
});
