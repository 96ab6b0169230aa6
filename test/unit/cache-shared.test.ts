import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFlights } from '../../app/cache/flights.ts';
import { fullKey, namespaceOf, prefixOf } from '../../app/cache/keys.ts';
import { checkLifetime } from '../../app/cache/lifetime.ts';
import type { NamespaceOptions } from '../../app/cache/namespace.ts';
import { openNode, type CacheNode } from '../../app/cache/node.ts';
import { sharedOver } from '../../app/cache/shared.ts';
import { createLogger } from '../../app/log.ts';

const ITEMS: NamespaceOptions = { name: 'items', version: 1, ttlSeconds: 60 };

/** A node in memory. While `broken` is set, every command rejects with it. */
function fakeNode(name = 'fake:6379') {
  const held = new Map<string, { text: string; lifetimeMs: number }>();
  const node = {
    name,
    held,
    broken: undefined as Error | undefined,
    async read(key: string) {
      if (node.broken) throw node.broken;
      return held.get(key)?.text ?? null;
    },
    async write(key: string, text: string, lifetimeMs: number) {
      if (node.broken) throw node.broken;
      checkLifetime(lifetimeMs);
      held.set(key, { text, lifetimeMs });
    },
    async remove(key: string) {
      if (node.broken) throw node.broken;
      held.delete(key);
    },
    state: () => 'up' as const,
    settled: async () => {},
    close: () => {},
  };
  return node satisfies CacheNode;
}

/** A promise and how to settle it. */
const gate = () => Promise.withResolvers<string>();

describe('the shared cache', () => {
  it('computes a value once, and then has it', async () => {
    const node = fakeNode();
    const shared = sharedOver([node]);
    const items = shared.namespace<{ id: number }>(ITEMS);
    assert.deepEqual(await items.get('a', () => ({ id: 1 })), { id: 1 });
    assert.deepEqual(await items.get('a', () => assert.fail('computed again')), { id: 1 });
    assert.deepEqual(await items.peek('a'), { id: 1 });
    assert.equal(await items.peek('b'), undefined);
    assert.deepEqual([...node.held.keys()], ['items:v1:a']);
    assert.deepEqual(shared.stats(), {
      namespaces: { items: { hits: 2, misses: 2, joined: 0, errors: 0, tooLarge: 0 } },
      nodes: [{ name: 'fake:6379', state: 'up' }],
    });
  });

  it('refuses a namespace without a lifetime, by type and when it runs, and sends nothing', async () => {
    const node = fakeNode();
    const shared = sharedOver([node]);
    // @ts-expect-error ttlSeconds is required; if it were not, this line would fail the type check
    assert.throws(() => shared.namespace({ name: 'items', version: 1 }), TypeError);
    for (const ttlSeconds of [0, -1, NaN, Infinity, 31 * 24 * 3600, '60' as unknown as number])
      assert.throws(() => shared.namespace({ ...ITEMS, ttlSeconds }), /ttlSeconds must be/);
    assert.equal(node.held.size, 0);
    assert.doesNotThrow(() => shared.namespace(ITEMS)); // a refusal does not take the name
  });

  it('refuses a key without a lifetime once more where it would be sent', async () => {
    const node = openNode('redis://127.0.0.1:1', createLogger('silent', {})); // nobody there, and nobody asked
    try {
      for (const bad of [undefined, 0, -1, 1.5, NaN, Infinity, '1000'])
        await assert.rejects(node.write('items:v1:a', '1', bad as number), TypeError);
      await assert.rejects(node.write('items:v1:a', '1', 1000), /not connected/);
    } finally {
      node.close();
    }
  });

  it('refuses names, versions, jitter and sizes that make no sense, and a name that is taken', () => {
    const shared = sharedOver([fakeNode()]);
    for (const name of ['', 'Items', 'a:b', 'a b', '1a', 'a'.repeat(65)])
      assert.throws(() => shared.namespace({ ...ITEMS, name }), TypeError, name);
    for (const version of [0, -1, 1.5, NaN])
      assert.throws(() => shared.namespace({ ...ITEMS, version }), TypeError, String(version));
    assert.throws(() => shared.namespace({ ...ITEMS, jitter: 1 }), TypeError);
    assert.throws(() => shared.namespace({ ...ITEMS, maxBytes: NaN }), TypeError);
    shared.namespace(ITEMS);
    assert.throws(() => shared.namespace({ ...ITEMS, version: 2 }), /there already/);
  });

  it('stores for the lifetime with its jitter', async () => {
    const node = fakeNode();
    const items = sharedOver([node]).namespace<number>({ ...ITEMS, ttlSeconds: 100, jitter: 0.2 });
    for (let n = 0; n < 200; n++) await items.get(String(n), () => n);
    const lifetimes = [...node.held.values()].map(({ lifetimeMs }) => lifetimeMs);
    assert.ok(Math.min(...lifetimes) >= 80_000 && Math.max(...lifetimes) <= 100_000);
    assert.ok(new Set(lifetimes).size > 100, 'they differ');
  });

  it('computes once for callers at the same time, and for each of other keys', async () => {
    const items = sharedOver([fakeNode()]).namespace<string>(ITEMS);
    const { promise, resolve } = gate();
    let computed = 0;
    const ask = (key: string) =>
      items.get(key, () => {
        computed += 1;
        return promise;
      });
    const asked = [ask('a'), ask('a'), ask('a'), ask('b')];
    resolve('value');
    assert.deepEqual(await Promise.all(asked), ['value', 'value', 'value', 'value']);
    assert.equal(computed, 2);
  });

  it('hands a failure of computing to all who wait and keeps nothing', async () => {
    const node = fakeNode();
    const items = sharedOver([node]).namespace<string>(ITEMS);
    let computed = 0;
    const fail = async (): Promise<string> => {
      computed += 1;
      throw new Error('no database');
    };
    const outcomes = await Promise.allSettled([items.get('a', fail), items.get('a', fail)]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(computed, 1);
    assert.equal(node.held.size, 0);
    assert.equal(await items.get('a', () => 'better'), 'better');
  });

  it('does not keep what was being computed when the key was dropped, nor let anyone join it', async () => {
    const node = fakeNode();
    const items = sharedOver([node]).namespace<string>(ITEMS);
    const [old, begun] = [gate(), gate()];
    const early = items.get('a', () => {
      begun.resolve('');
      return old.promise;
    });
    await begun.promise;
    assert.equal(await items.drop('a'), true);
    assert.equal(await items.get('a', () => 'new'), 'new');
    old.resolve('old');
    assert.equal(await early, 'old');
    assert.equal(node.held.get('items:v1:a')?.text, '"new"');
  });

  it('is a miss when the node fails, for every command', async () => {
    const node = fakeNode();
    const shared = sharedOver([node]);
    const items = shared.namespace<number>(ITEMS);
    await items.get('a', () => 1);
    node.broken = new Error('gone');
    assert.equal(await items.get('a', () => 2), 2);
    assert.equal(await items.peek('a'), undefined);
    assert.equal(await items.drop('a'), false);
    assert.equal(shared.stats().namespaces.items?.errors, 4); // read, write, read, remove
    node.broken = undefined;
    assert.equal(await items.get('a', () => 3), 1);
  });

  it('is a miss when what is stored is not JSON, and the next value replaces it', async () => {
    const node = fakeNode();
    const items = sharedOver([node]).namespace<number>(ITEMS);
    node.held.set('items:v1:a', { text: '{"torn', lifetimeMs: 1000 });
    assert.equal(await items.get('a', () => 2), 2);
    assert.equal(await items.peek('a'), 2);
  });

  it('does not store a value above its size, in bytes and not in characters', async () => {
    const node = fakeNode();
    const shared = sharedOver([node]);
    const texts = shared.namespace<string>({ ...ITEMS, maxBytes: 10 });
    assert.equal(await texts.get('fits', () => '12345678'), '12345678'); // two quotes more
    assert.equal(await texts.get('large', () => '123456789'), '123456789');
    assert.equal(await texts.get('wide', () => '🎽🎽🎽'), '🎽🎽🎽');
    assert.deepEqual([...node.held.keys()], ['items:v1:fits']);
    assert.equal(shared.stats().namespaces.items?.tooLarge, 2);
  });

  it('answers the first caller what it will answer the second: what is left after JSON', async () => {
    const items = sharedOver([fakeNode()]).namespace<{ at: Date; note?: string | undefined }>(ITEMS);
    const compute = () => ({ at: new Date(0), note: undefined });
    const first = await items.get('a', compute);
    assert.equal(first.at satisfies string, '1970-01-01T00:00:00.000Z');
    assert.deepEqual(await items.get('a', compute), first);
  });

  it('keeps null, which is an answer, and not undefined, which cannot be written down', async () => {
    const node = fakeNode();
    const items = sharedOver([node]).namespace<string | null | undefined>(ITEMS);
    assert.equal(await items.get('a', () => null), null);
    assert.equal(await items.get('a', () => 'x'), null);
    assert.equal(await items.get('b', () => undefined), undefined);
    assert.deepEqual([...node.held.keys()], ['items:v1:a']);
  });

  it('works without any node: nothing is kept, and callers at the same time still share', async () => {
    const items = sharedOver([]).namespace<number>(ITEMS);
    let computed = 0;
    const ask = () => items.get('a', () => ++computed);
    assert.deepEqual(await Promise.all([ask(), ask()]), [1, 1]);
    assert.equal(await ask(), 2);
    assert.equal(await items.drop('a'), true);
  });

  it('uses each of its nodes for a share, always the same', async () => {
    const nodes = [fakeNode('a:6379'), fakeNode('b:6379'), fakeNode('c:6379')];
    const items = sharedOver(nodes).namespace<number>(ITEMS);
    for (let n = 0; n < 300; n++) await items.get(String(n), () => n);
    const sizes = nodes.map(({ held }) => held.size);
    assert.equal(
      sizes.reduce((sum, size) => sum + size),
      300,
    );
    for (const size of sizes) assert.ok(size > 50, String(sizes));
    for (let n = 0; n < 300; n++) await items.get(String(n), () => assert.fail('computed again'));
  });
});

describe('what is computed at the same time', () => {
  it('is not joined after 10 s, so that one that hangs does not hold up the rest', async () => {
    let now = 0;
    const flights = createFlights(() => now);
    const hung = gate();
    const validOf: (() => boolean)[] = [];
    const first = flights.start('a', (valid) => {
      validOf.push(valid);
      return hung.promise;
    });
    now = 9999;
    assert.ok(flights.join('a'));
    now = 10_000;
    assert.equal(flights.join('a'), undefined);
    const { promise, resolve } = gate();
    const second = flights.start('a', () => promise);
    assert.equal(validOf[0]?.(), false); // it came too late to be kept
    hung.resolve('first');
    assert.equal(await first, 'first');
    assert.equal(flights.join('a'), second, 'the end of the first is not the end of the second');
    resolve('second');
    assert.equal(await second, 'second');
    assert.equal(flights.join('a'), undefined);
  });
});

describe('keys', () => {
  it('say their namespace and version, and no key reaches into another namespace', () => {
    assert.equal(fullKey(prefixOf('items', 3), 'a:b'), 'items:v3:a:b');
    assert.equal(namespaceOf('items:v3:other:v1:a'), 'items:v3');
    for (const foreign of ['views', 'items:3:a', 'items:v0:a', 'v1:a', 'Items:v1:a'])
      assert.equal(namespaceOf(foreign), null, foreign);
  });

  it('of users are cut to a hash when they are long', () => {
    const [one, two] = ['x'.repeat(201), `${'x'.repeat(200)}y`].map((key) => fullKey('items:v1:', key));
    assert.match(one ?? '', /^items:v1:#[\w-]{43}$/);
    assert.notEqual(one, two);
    assert.match(fullKey('items:v1:', 'ü'.repeat(101)), /#/);
    assert.equal(fullKey('items:v1:', 'x'.repeat(200)), `items:v1:${'x'.repeat(200)}`);
  });
});
