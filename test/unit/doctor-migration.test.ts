import assert from 'node:assert/strict';
import { Script } from 'node:vm';
import { test } from 'node:test';
import { judgeCounters, judgeMigration, judgeSysctl, roomMiB } from '../../deployer/doctor/migration.ts';
import { parseProbe, probeSource, type Try } from '../../deployer/doctor/migration-probe.ts';
import { parseNetns } from '../../deployer/doctor/netns.ts';

const clean: Try = { connections: 8, reset: 0, slept: 0, lost: 0, slowestMs: 4 };
const judge = (...tries: Partial<Try>[]) =>
  judgeMigration({ tries: tries.map((one) => ({ ...clean, ...one })), error: null });

void test('every waiting connection answered in time is a kernel that migrates', () => {
  assert.equal(judge({}).level, 'ok');
});

void test('a late try on a busy machine does not outweigh a good one', () => {
  assert.equal(judge({ slowestMs: 400 }, { slept: 2 }, {}).level, 'ok');
});

void test('late in every try is a warning, and not the same as not migrated', () => {
  const verdict = judge({ slowestMs: 400 }, { slowestMs: 250 });
  assert.equal(verdict.level, 'warn');
  assert.match(verdict.found, /late.*250 ms \(limit 100 ms, best of 2 tries\)/);
});

void test('one reset connection is a failure, however good the other tries were', () => {
  const verdict = judge({ reset: 1 }, {});
  assert.equal(verdict.level, 'fail');
  assert.match(verdict.found, /1 of 16 connections .* reset/);
});

void test('a connection that is neither answered nor reset is a failure', () => {
  assert.match(judge({ lost: 8 }).found, /never answered/);
  assert.equal(judge({ lost: 8 }).level, 'fail');
});

void test('connections that sleep until another arrives in every try are the CVE', () => {
  const verdict = judge({ slept: 8 }, { slept: 8 });
  assert.equal(verdict.level, 'fail');
  assert.match(verdict.found, /CVE-2026-46015/);
  assert.match(verdict.advice!, /update the kernel/);
});

void test('a probe that could not run is a warning with its own words', () => {
  const verdict = judgeMigration({ tries: [], error: 'spawn EPERM' });
  assert.equal(verdict.level, 'warn');
  assert.match(verdict.found, /spawn EPERM/);
});

void test('the result is found between lines an image prints of its own', () => {
  const result = { tries: [clean], error: null };
  assert.deepEqual(parseProbe(`hello\n${JSON.stringify(result)}\nbye\n`, ''), result);
  assert.equal(
    parseProbe('', 'trace\nTypeError: no such thing\n\nNode.js v20\n').error,
    'TypeError: no such thing',
  );
  assert.equal(parseProbe('OCI runtime exec failed\n', '').error, 'OCI runtime exec failed');
  assert.equal(parseProbe('', '').error, 'the probe wrote nothing');
});

void test('the script that is sent is plain JavaScript', () => {
  assert.doesNotThrow(() => new Script(probeSource()));
});

void test('the sysctl must be 1; a kernel that lacks it is told from a pod that cannot be asked', () => {
  assert.equal(judgeSysctl({ migrateReq: 1, somaxconn: 4096 }).level, 'ok');
  assert.match(judgeSysctl({ migrateReq: 0, somaxconn: 4096 }).advice!, /sysctls/);
  assert.equal(judgeSysctl({ migrateReq: 0, somaxconn: 4096 }).level, 'fail');
  assert.match(judgeSysctl({ somaxconn: 4096 }).found, /older than 5\.14/);
  assert.equal(judgeSysctl({}).level, 'skipped');
});

void test('values and counters are read from lines that carry their file', () => {
  const text = [
    '/proc/sys/net/ipv4/tcp_migrate_req:1',
    '/proc/sys/net/core/somaxconn:4096',
    '/proc/net/netstat:TcpExt: ListenOverflows ListenDrops TCPMigrateReqFailure',
    '/proc/net/netstat:TcpExt: 0 3 1',
    '/proc/net/netstat:IpExt: InOctets',
    '/proc/net/netstat:IpExt: 5',
  ].join('\n');
  assert.deepEqual(parseNetns(text), {
    migrateReq: 1,
    somaxconn: 4096,
    counters: { ListenOverflows: 0, ListenDrops: 3, TCPMigrateReqFailure: 1 },
  });
  assert.deepEqual(parseNetns(''), {});
});

void test('a counter of lost connections that is not 0 is a warning', () => {
  assert.equal(judgeCounters({ ListenDrops: 0, ListenOverflows: 0, TCPMigrateReqFailure: 0 }).level, 'ok');
  const full = judgeCounters({ ListenDrops: 2, ListenOverflows: 2 });
  assert.equal(full.level, 'warn');
  assert.match(full.found, /ListenDrops 2, ListenOverflows 2/);
  assert.match(full.advice!, /somaxconn/);
  assert.match(judgeCounters({ TCPMigrateReqFailure: 1 }).advice!, /deploy/);
});

void test('room under a memory limit counts what the kernel would give back', () => {
  const MIB = 1024 * 1024;
  assert.equal(roomMiB({ usage: 400 * MIB, limit: 512 * MIB, stats: { inactive_file: 100 * MIB } }), 212);
  assert.equal(roomMiB({ usage: 500 * MIB, limit: 512 * MIB, stats: { total_inactive_file: 2 * MIB } }), 14);
  assert.equal(roomMiB({}), Infinity);
});
