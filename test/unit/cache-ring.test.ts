import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRing } from '../../app/cache/ring.ts';

const KEYS = Array.from({ length: 20_000 }, (_, n) => `items:v1:${n}`);
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `cache-${n + 1}:6379`);

/** How many of KEYS each node has. */
function shares(place: (key: string) => string | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of KEYS) {
    const node = place(key) ?? 'nowhere';
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

/** How many of KEYS are elsewhere. */
const moved = (
  before: (key: string) => string | undefined,
  after: (key: string) => string | undefined,
): string[] => KEYS.filter((key) => before(key) !== after(key));

describe('the ring of cache nodes', () => {
  for (const count of [2, 3, 4, 5, 6, 7, 8]) {
    it(`gives each of ${count} nodes its even share, within 30 %`, () => {
      const counts = shares(createRing(names(count)));
      assert.deepEqual([...counts.keys()].toSorted(), names(count));
      for (const [node, keys] of counts) {
        const part = keys / (KEYS.length / count);
        assert.ok(part > 0.7 && part < 1.3, `${node} has ${part.toFixed(2)} of an even share`);
      }
    });
  }

  it('moves only the keys of a node that is lost, and spreads them over all others', () => {
    const all = names(5);
    const before = createRing(all);
    for (const lost of all) {
      const after = createRing(all.filter((name) => name !== lost));
      const keys = moved(before, after);
      assert.deepEqual(
        keys,
        KEYS.filter((key) => before(key) === lost),
      );
      assert.equal(new Set(keys.map(after)).size, 4);
    }
  });

  it('is needed: by the remainder of a hash, losing one of five nodes moves most keys', () => {
    const modulo = (nodes: string[]) => (key: string) => nodes[Number(key.split(':')[2]) % nodes.length];
    assert.ok(moved(modulo(names(5)), modulo(names(4))).length > KEYS.length / 2);
  });

  it('gives a node that is added its share and moves nothing between the others', () => {
    const before = createRing(names(4));
    const after = createRing(names(5));
    const keys = moved(before, after);
    assert.ok(keys.length > 0.7 * (KEYS.length / 5) && keys.length < 1.3 * (KEYS.length / 5));
    for (const key of keys) assert.equal(after(key), 'cache-5:6379');
  });

  it('is the same in every process, in whatever order the nodes are named', () => {
    const one = createRing(names(5));
    assert.deepEqual(moved(one, createRing(names(5).toReversed())), []);
    // Fixed on purpose: a change that moves keys empties the cache of everyone at once.
    assert.deepEqual(
      ['items:v1:1', 'items:v1:2', 'items:v1:3', 'items:v1:4'].map((key) => one(key)),
      [3, 4, 3, 3].map((n) => `cache-${n}:6379`),
    );
  });

  it('has one place with one node, none with none, and refuses a node that is named twice', () => {
    assert.equal(createRing(['only:6379'])('key'), 'only:6379');
    assert.equal(createRing([])('key'), undefined);
    assert.throws(() => createRing(['a:1', 'b:1', 'a:1']), TypeError);
  });
});
