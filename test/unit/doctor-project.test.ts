import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  judgeConfig,
  judgeEnv,
  judgeJournal,
  judgeLeftovers,
  judgeLock,
  judgePod,
  judgeVisible,
  sortOut,
} from '../../deployer/doctor/project.ts';
import type { Instance } from '../../deployer/engine/instance.ts';

const fix = { what: 'mend it', safe: true, do: async () => {} };
const lack = { why: 'no', detail: 'no compose.yaml here', advice: 'go there' };

function instance(name: string, release: string, change: Partial<Instance> = {}): Instance {
  const common = {
    image: 'app:v1',
    imageId: 'i',
    exitCode: 0,
    createdAt: '',
    stopTimeout: 10,
    held: null,
    keepUntil: null,
  };
  return { ...common, id: name, name, release, visible: true, running: true, status: 'running', ...change };
}
const record = { version: 1 as const, serving: 'b', known: ['a'], at: '' };

void test('a project that cannot be read and a stack that is down say what to do', () => {
  assert.equal(judgeConfig(undefined, { project: 'p', files: ['compose.yaml'] }).level, 'ok');
  assert.deepEqual(judgeConfig(lack, undefined), {
    level: 'fail',
    found: 'project: no compose.yaml here',
    advice: 'go there',
  });
  assert.equal(judgePod(undefined).level, 'ok');
  assert.equal(judgePod(lack).level, 'fail');
});

void test('Compose must see as many running containers of the app as its file says', () => {
  const one = instance('app-1', 'b');
  const hidden = instance('parked', 'a', { visible: false });
  const of = (scale: number) => ({ service: 'app', scale });
  assert.equal(judgeVisible([one, hidden], of(1)).level, 'ok');
  assert.equal(judgeVisible([hidden], of(1)).level, 'fail');
  assert.match(
    judgeVisible([one, instance('app-2', 'a')], of(1)).found,
    /2 running containers of app \(app-1, app-2\), and would have 1:/,
  );
  assert.equal(judgeVisible([one, instance('app-2', 'b'), hidden], of(2)).level, 'ok');
  assert.match(
    judgeVisible([one, hidden], of(2)).found,
    /1 running containers of app \(app-1\), and would have 2:/,
  );
});

void test('.env that names what serves is fine; another image or release can be mended', () => {
  const serves = { image: 'app:v2', release: 'b' };
  const none = { image: '', release: '' };
  assert.equal(judgeEnv(serves, serves, none, fix).level, 'ok');
  const wrong = judgeEnv(serves, { image: 'app:v1', release: 'b' }, none, fix);
  assert.equal(wrong.level, 'fail');
  assert.equal(wrong.fix, fix);
  assert.match(wrong.found, /TASUKI_IMAGE is "app:v1", what serves is "app:v2"/);
});

void test("a variable of the user's shell that overrides .env is not mended by writing .env", () => {
  const verdict = judgeEnv(
    { image: 'app:v2', release: '' },
    { image: 'app:v9', release: '' },
    { image: 'app:v9', release: '' },
    fix,
  );
  assert.equal(verdict.fix, undefined);
  assert.equal(verdict.advice, 'unset TASUKI_IMAGE');
});

void test('the serving and the parked container stay, stopped ones can be removed, running ones are for the next deploy', () => {
  const seat = instance('app-1', 'b');
  const parked = instance('parked', 'a', { visible: false });
  const stopped = instance('old', 'x', { running: false, status: 'exited' });
  const stray = instance('stray', 'y', { visible: false });
  assert.equal(judgeLeftovers(sortOut([seat, parked], record, 1), fix).level, 'ok');
  assert.deepEqual(sortOut([stopped, seat, parked, stray], record, 1), {
    stopped: [stopped],
    strays: [stray],
  });
  const second = instance('app-2', 'b');
  assert.deepEqual(sortOut([second, seat, parked], record, 2).strays, []);
  assert.deepEqual(sortOut([second, seat, parked], record, 1).strays, [second]);
  assert.equal(judgeLeftovers({ stopped: [stopped], strays: [] }, fix).fix, fix);
  const both = judgeLeftovers({ stopped: [], strays: [stray] }, fix);
  assert.equal(both.fix, undefined);
  assert.match(both.advice!, /deploy again/);
});

void test('when nothing serves, a stopped container is what must come back and is never removed', () => {
  const stopped = instance('app-1', 'b', { running: false, status: 'exited' });
  assert.deepEqual(sortOut([stopped], record, 1), { stopped: [], strays: [] });
});

void test('the lock of a deploy that lives is left alone, that of a dead one can be removed', () => {
  const owner = {
    user: 'u',
    host: 'h',
    pid: 1,
    started: '',
    boot: '',
    command: 'deploy',
    since: '',
    expires: '',
  };
  assert.equal(judgeLock(null, fix).level, 'ok');
  assert.equal(judgeLock({ owner, alive: true }, fix).fix, undefined);
  assert.equal(judgeLock({ owner, alive: false }, fix).fix, fix);
  assert.equal(judgeLock({ owner: null, alive: false }, fix).level, 'warn');
});

void test('a run that was killed is named with the step it had reached', () => {
  assert.equal(judgeJournal(null, '/state').level, 'ok');
  const killed = {
    command: 'deploy',
    release: 'b',
    image: 'app:v2',
    at: 'then',
    step: 'admit',
    finished: false,
  };
  const verdict = judgeJournal(killed, '/state');
  assert.equal(verdict.level, 'warn');
  assert.match(verdict.found, /deploy of app:v2, then, at step "admit"/);
});
