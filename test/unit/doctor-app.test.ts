import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Phase, State } from '../../deployer/contract.ts';
import {
  judgeAddresses,
  judgeContract,
  judgeNamespace,
  judgePort,
  judgeServing,
} from '../../deployer/doctor/app.ts';

function running(release: string, phase: Phase, change: Partial<State> = {}) {
  const state: State = {
    protocol: 1,
    release,
    phase,
    onLoan: false,
    listen: { host: '127.0.0.1', port: 3000 },
    uid: 1000,
    children: [{ pid: 7, ready: true, requests: 0, connections: 0 }],
    restarts: 0,
    record: null,
    drain: null,
    preview: false,
    paused: false,
    problem: null,
    ...change,
  };
  return { name: `app-${release}`, release, state };
}
const listen = (host: string) => ({ listen: { host, port: 3000 } });
const record = { version: 1 as const, serving: 'b', known: ['a'], at: '2026-11-21T00:00:00Z' };

void test('one release serves and the record names it', () => {
  assert.equal(judgeServing(record, [running('a', 'parked'), running('b', 'serving')]).level, 'ok');
});

void test('nobody serving, two serving, another than the record names, and no record are failures', () => {
  assert.equal(judgeServing(record, [running('b', 'standby')]).level, 'fail');
  assert.match(judgeServing(record, [running('a', 'serving'), running('b', 'serving')]).found, /2 releases/);
  assert.match(judgeServing(record, [running('a', 'serving')]).found, /the record names b/);
  assert.match(judgeServing(null, [running('b', 'serving')]).found, /no record/);
});

void test('an instance that does not answer its control command is a failure, one that complains a warning', () => {
  assert.equal(judgeContract([running('b', 'serving')]).level, 'ok');
  assert.equal(
    judgeContract([running('b', 'serving'), { ...running('a', 'parked'), state: null }]).level,
    'fail',
  );
  assert.match(judgeContract([running('b', 'serving', { problem: 'EADDRINUSE' })]).found, /EADDRINUSE/);
  assert.equal(judgeContract([running('b', 'serving', { restarts: 2 })]).level, 'warn');
  const children = [{ pid: 7, ready: false, requests: 0, connections: 0 }];
  assert.match(
    judgeContract([running('b', 'booting', { children })]).found,
    /1 of 1 processes are not ready/,
  );
});

void test('instances of one uid on one explicit address hand over to each other', () => {
  assert.equal(judgeAddresses([running('a', 'parked'), running('b', 'serving')]).level, 'ok');
});

void test('instances on one socket hand over to each other, and one on a port is not of them', () => {
  const socket = { listen: { path: '/run/tasuki/app.sock' } };
  const two = judgeAddresses([running('a', 'parked', socket), running('b', 'serving', socket)]);
  assert.match(two.found, /address unix:\/run\/tasuki\/app\.sock in all 2/);
  assert.equal(two.level, 'ok');
  assert.equal(judgeAddresses([running('a', 'parked', socket), running('b', 'serving')]).level, 'fail');
});

void test('a mix of :: and 0.0.0.0, another uid, and a name for an address are failures', () => {
  const mixed = judgeAddresses([
    running('a', 'parked', listen('::')),
    running('b', 'serving', listen('0.0.0.0')),
  ]);
  assert.match(mixed.found, /different addresses/);
  assert.equal(mixed.level, 'fail');
  assert.match(
    judgeAddresses([running('a', 'parked', { uid: 0 }), running('b', 'serving')]).found,
    /different uids/,
  );
  assert.match(
    judgeAddresses([running('b', 'serving', listen('localhost'))]).found,
    /not an explicit IP address/,
  );
});

void test('a container left in the network of a former pod is named with the command that helps', () => {
  const pod = { id: 'p2', startedAt: '2026-11-21T10:00:00.500Z' };
  const fine = { name: 'app', networkMode: 'container:p2', startedAt: '2026-11-21T10:00:01Z' };
  assert.equal(judgeNamespace(pod, [fine]).level, 'ok');
  assert.equal(
    judgeNamespace(pod, [fine, { ...fine, name: 'proxy', startedAt: '2026-11-21T09:00:00Z' }]).advice,
    'docker restart proxy',
  );
  assert.equal(
    judgeNamespace(pod, [{ ...fine, networkMode: 'container:p1' }]).advice,
    'docker compose up -d',
  );
});

void test('the port must be answered by a release of this project', () => {
  const answer = { release: 'b', ok: true, problem: null };
  assert.equal(judgePort('http://h', answer, ['a', 'b']).level, 'ok');
  assert.match(judgePort('http://h', { ...answer, release: null }, ['b']).found, /something else/);
  assert.match(judgePort('http://h', answer, ['x']).found, /not of this project/);
  assert.match(
    judgePort('http://h', { release: null, ok: false, problem: 'ECONNREFUSED' }, ['b']).found,
    /ECONNREFUSED/,
  );
  assert.match(judgePort(null, null, []).found, /no port/);
});

void test('an image without a control command is asked for none, and the port for no release before the first deploy', () => {
  const mute = { ...running('a', 'parked'), state: null };
  assert.match(judgeContract([mute]).advice ?? '', /contract/);
  const verdict = judgeContract([mute], false);
  assert.equal(verdict.level, 'fail');
  assert.doesNotMatch(verdict.advice ?? '', /contract/);
  const answer = { release: null, ok: true, problem: null };
  assert.equal(judgePort('http://127.0.0.1:80', answer, ['a']).level, 'fail');
  assert.equal(judgePort('http://127.0.0.1:80', answer, ['a'], false).level, 'ok');
  const bad = { release: null, ok: false, problem: '502' };
  assert.equal(judgePort('http://127.0.0.1:80', bad, ['a'], false).level, 'fail');
});
