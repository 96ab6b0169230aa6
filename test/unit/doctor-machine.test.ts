import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  judgeDisk,
  judgeKernel,
  judgeNode,
  judgeSkew,
  judgeSomaxconn,
  judgeYear,
} from '../../deployer/doctor/machine.ts';
import { atLeast, parseVersion } from '../../deployer/doctor/version.ts';

const GIB = 1024 ** 3;
const places = (free: number) => [
  { what: 'the project', path: '/a', free: 100 * GIB },
  { what: 'the engine', path: '/b', free: free * GIB },
];

void test('a version is read past the signs of a distribution', () => {
  assert.deepEqual(parseVersion('26.1.5+dfsg1'), [26, 1, 5]);
  assert.deepEqual(parseVersion('v0.13'), [0, 13, 0]);
  assert.deepEqual(parseVersion('6.18.44-fc-v669'), [6, 18, 44]);
  assert.deepEqual(parseVersion('nothing'), [0, 0, 0]);
});

void test('versions are compared by number, not by text', () => {
  assert.ok(atLeast('2.26.1', 2, 20));
  assert.ok(atLeast('10.0', 9, 9));
  assert.ok(!atLeast('2.9.0', 2, 20));
});

void test('Node 24 and later is fine, 20 is not', () => {
  assert.equal(judgeNode('26.10.0', '/node').level, 'ok');
  const old = judgeNode('20.20.2', '/node');
  assert.equal(old.level, 'fail');
  assert.match(old.advice!, /npm ci/);
});

void test('a kernel before 5.14 cannot migrate', () => {
  assert.equal(judgeKernel('5.14.0').level, 'ok');
  assert.equal(judgeKernel('5.10.0-28-amd64').level, 'fail');
});

void test('a kernel that may let migrated connections sleep is named, and only that one', () => {
  for (const release of ['6.18.26', '6.12.80-generic', '6.8.0-45', '5.15.100', '7.0.3']) {
    assert.match(judgeKernel(release).found, /CVE-2026-46015/, release);
  }
  for (const release of ['6.18.44-fc-v669', '6.1.175', '7.0.4', '7.1.0', '8.0.1']) {
    assert.doesNotMatch(judgeKernel(release).found, /CVE/, release);
  }
});

void test('the place with the least room decides about the disk', () => {
  assert.equal(judgeDisk(places(10)).level, 'ok');
  assert.equal(judgeDisk(places(1.5)).level, 'warn');
  assert.equal(judgeDisk(places(0.2)).level, 'fail');
  assert.match(judgeDisk(places(0.2)).found, /0\.2 GiB free for the engine \(\/b\)/);
});

void test('a short accept queue is a warning, one that cannot be read is no verdict', () => {
  assert.equal(judgeSomaxconn(4096).level, 'ok');
  assert.equal(judgeSomaxconn(128).level, 'warn');
  assert.equal(judgeSomaxconn(undefined).level, 'skipped');
});

void test('a clock that was never set is a failure', () => {
  assert.equal(judgeYear(new Date('2026-11-21T00:00:00Z')).level, 'ok');
  assert.equal(judgeYear(new Date('1970-01-01T00:10:00Z')).level, 'fail');
  assert.equal(judgeYear(new Date('2106-02-07T00:00:00Z')).level, 'fail');
});

void test('a difference of clocks within what the question itself took is none', () => {
  assert.equal(judgeSkew({ ms: 40, exactMs: 20 }).level, 'ok');
  assert.equal(judgeSkew({ ms: -4000, exactMs: 3000 }).level, 'ok');
  assert.equal(judgeSkew({ ms: -5000, exactMs: 20 }).level, 'warn');
  assert.equal(judgeSkew({ ms: 3_600_000, exactMs: 20 }).level, 'fail');
  assert.match(judgeSkew({ ms: -5000, exactMs: 20 }).found, /5\.0 s behind/);
});
