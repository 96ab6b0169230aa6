import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultOf } from '../support/load/answer.ts';
import { isLocal } from '../support/load/local.ts';
import { DEFAULTS, KINDS } from '../support/load/options.ts';
import type { Kind, LoadOptions } from '../support/load/options.ts';
import { makeShot, pattern, slices } from '../support/load/shots.ts';
import type { Shot } from '../support/load/shots.ts';

const OPTIONS: LoadOptions = { ...DEFAULTS, target: 'http://127.0.0.1', run: 'run-0badcafe', dir: '/tmp' };
const shot = (kind: Kind): Shot => makeShot(OPTIONS, KINDS.indexOf(kind), 7);

/** A good answer to the shot, with some of it changed. */
function fault(
  of: Shot,
  change: { body?: string; status?: number; requestId?: string; framed?: boolean },
): string {
  const { body = `${of.expect[0] ?? ''} ${of.ending}`, ...rest } = change;
  const good = { status: 200, bytes: body.length, release: 'r1', requestId: of.id, framed: true };
  return faultOf(of, { ...good, ...rest, body: [Buffer.from(body)] });
}

for (const kind of KINDS) {
  void test(`each way in which an answer can be wrong is told (${kind})`, () => {
    const of = shot(kind);
    assert.equal(fault(of, {}), '');
    assert.equal(fault(of, { status: 502 }), 'http-502');
    assert.equal(fault(of, { status: 303 }), 'http-303');
    assert.equal(fault(of, { framed: false }), 'unframed');
    assert.equal(fault(of, { requestId: 'run-0badcafe-8' }), 'wrong-id');
    assert.equal(fault(of, { requestId: '' }), 'no-id');
    assert.match(fault(of, { body: 'something else' }), /^(wrong-content|no-ending)$/);
  });
}

void test('the text of every update begins and ends with its id and fits the app', () => {
  for (const kind of ['update', 'slow-update'] as const) {
    const { body, id } = shot(kind);
    const { id: sent, text } = JSON.parse(body) as { id: string; text: string };
    assert.equal(sent, id);
    assert.ok(text.startsWith(id) && text.endsWith(id) && text.length <= 280, text);
  }
});

void test('the pieces of a slow upload are its body, spread over the whole time', () => {
  const of = shot('slow-echo');
  const { pieces, everyMs } = slices(of);
  assert.equal(pieces.join(''), of.body);
  assert.equal(Math.round(everyMs * pieces.length), of.spreadMs);
  assert.ok(pieces.length >= 20, `${pieces.length} pieces`);
});

void test('kinds are sent in the shares asked for', () => {
  const cycle = pattern({ home: 1, update: 3 });
  const count = (kind: Kind): number => cycle.filter((index) => index === KINDS.indexOf(kind)).length;
  assert.deepEqual([count('home'), count('update'), count('echo')], [250, 750, 0]);
});

void test('only addresses of this machine count as local', () => {
  for (const host of ['127.0.0.1', '127.8.8.8', '[::1]', 'localhost'])
    assert.equal(isLocal(host), true, host);
  for (const host of ['192.0.2.1', '2001:db8::1', 'example.test']) assert.equal(isLocal(host), false, host);
});
