import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameOfPast, pastImage } from '../../deployer/core/past-image.ts';
import { DeployError, EXIT } from '../../deployer/errors.ts';
import { isImageId, repository, shortImage } from '../../deployer/image.ts';
import type { HistoryEntry } from '../../deployer/store/history.ts';

const ID = `sha256:${'3471c8cc5c12'.padEnd(64, '0')}`;
const OTHER = `sha256:${'aa'.padEnd(64, 'b')}`;
const entry = (release: string, more: Partial<HistoryEntry>): HistoryEntry =>
  ({ release, outcome: 'done', digest: null, ...more }) as HistoryEntry;

describe('the image of a past release', () => {
  it('is the one of its last run that came to its end, or else of its last', () => {
    const runs = [
      entry('r1', { image: 'app:v1', imageId: ID, digest: 'app@sha256:1' }),
      entry('r1', { image: 'app:v1', imageId: OTHER, outcome: 'failed' }),
      entry('r2', { image: 'app:v2', imageId: OTHER, outcome: 'failed' }),
    ];
    assert.deepEqual(pastImage(runs, 'r1'), { image: 'app:v1', imageId: ID, digest: 'app@sha256:1' });
    assert.equal(pastImage(runs, 'r2')?.imageId, OTHER);
  });

  it('that no run of this machine made is known from the run that replaced it', () => {
    const runs = [entry('r2', { from: 'initial', fromImage: 'app:v1', fromImageId: ID })];
    assert.deepEqual(pastImage(runs, 'initial'), { image: 'app:v1', imageId: ID, digest: null });
    assert.equal(pastImage(runs, 'r0'), null);
  });
});

describe('the name by which a rollback asks for it', () => {
  const past = { image: 'app:v1', imageId: ID, digest: null };

  it('is its tag while that names it, and its id once the tag has moved on or is gone', () => {
    assert.deepEqual(nameOfPast(past, { tagged: ID, kept: true }, 'r1'), { image: 'app:v1', pull: false });
    for (const tagged of [OTHER, null])
      assert.deepEqual(nameOfPast(past, { tagged, kept: true }, 'r1'), { image: ID, pull: false });
  });

  it('is its digest, to be pulled, when it is not here any more', () => {
    const digest = 'host/app@sha256:1';
    const gone = { tagged: OTHER, kept: false };
    assert.deepEqual(nameOfPast({ ...past, digest }, gone, 'r1'), { image: digest, pull: true });
  });

  it('is never the tag of another image: without id and digest it is refused, and the error says which it was', () => {
    assert.throws(
      () => nameOfPast(past, { tagged: OTHER, kept: false }, 'r1'),
      (error: DeployError) =>
        error.exit === EXIT.usage &&
        error.details.code === 'IMAGE_GONE' &&
        /3471c8cc5c12.*app:v1 names another by now \(aabbbbbbbbbb\)/.test(error.message),
    );
    assert.throws(
      () => nameOfPast(past, { tagged: null, kept: false }, 'r1'),
      /not on this machine any more$/,
    );
  });

  it('is its tag, pulled when that is not here, where an older line does not know its id', () => {
    const old = { ...past, imageId: null };
    assert.deepEqual(nameOfPast(old, { tagged: OTHER, kept: false }, 'r1'), { image: 'app:v1', pull: false });
    assert.deepEqual(nameOfPast(old, { tagged: null, kept: false }, 'r1'), { image: 'app:v1', pull: true });
  });
});

describe('an image name', () => {
  it('that is an id is short for people, any other is as it was given', () => {
    assert.equal(shortImage(ID), '3471c8cc5c12');
    assert.equal(shortImage('app:v1'), 'app:v1');
    assert.ok(isImageId(ID) && !isImageId('app:v1') && !isImageId('sha256:short'));
  });

  it('has its repository before tag and digest, and a port is no tag', () => {
    const names = {
      'app:v1': 'app',
      'host:5000/app': 'host:5000/app',
      'host:5000/a/b:v1@sha256:1': 'host:5000/a/b',
    };
    for (const [name, expected] of Object.entries(names)) assert.equal(repository(name), expected);
    assert.equal(repository(''), 'app');
  });
});
