import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Context } from '../../deployer/core/context.ts';
import { HANDLERS } from '../../deployer/core/steps.ts';
import type { Instance } from '../../deployer/engine/instance.ts';
import { hidden, instance, stopped } from '../support/plans.ts';

/** Retires "app-1" of r1 among these, of which those named serve; gives what was removed. */
async function retire(instances: Instance[], serves: string[], serving = 'r1'): Promise<string[]> {
  const removed: string[] = [];
  const context = {
    engine: {
      instances: async () => instances,
      readFile: async () => JSON.stringify({ version: 1, serving, known: [], at: '' }),
      remove: async (id: string) => void removed.push(id),
    },
    config: { project: 'p', settings: { service: 'app' } },
    observed: { record: { serving: 'r1' }, pod: { id: 'pod' }, instances },
    sessions: {
      stateOf: async (id: string) => (serves.includes(id) ? { phase: 'serving' } : null),
      end: async () => {},
    },
    drainTimeoutMs: 1000,
  } as unknown as Context;
  const step = { id: 'retire:app-1', do: 'retire' as const, release: 'r1', target: 'app-1', cause: '' };
  await HANDLERS.retire.run(step, context);
  return removed;
}

describe('a container of the release that serves', () => {
  const one = instance('app-1', 'r1');

  it('stays while no other of its release really serves: one that runs may be crashing in turns', async () => {
    const looping = instance('app-2', 'r1', hidden);
    await assert.rejects(
      retire([one, looping], ['app-1']),
      /no other container of r1, which serves, answers/,
    );
  });

  it('goes when another serves, when another release does, and when it does not run', async () => {
    assert.deepEqual(await retire([one, instance('app-2', 'r1')], ['app-1', 'app-2']), ['app-1']);
    assert.deepEqual(await retire([one], ['app-1'], 'r2'), ['app-1']);
    assert.deepEqual(await retire([instance('app-1', 'r1', stopped)], []), ['app-1']);
  });
});

describe('a container that is retired, where the proxy is told who serves', () => {
  /** What is done with it, in order, when the proxy is done with it in time or not. */
  async function done(isLeft: boolean): Promise<string[]> {
    const words: string[] = [];
    const session = { ask: async (word: string) => void words.push(word) };
    const context = {
      engine: {
        inspect: async () => ({ State: { Running: true } }),
        remove: async () => void words.push('removed'),
      },
      config: { settings: { ctl: ['node', 'ctl'] } },
      observed: { record: { serving: 'r2' }, instances: [] },
      sessions: { with: async () => session, end: async () => {} },
      route: { release: async () => isLeft },
      drainTimeoutMs: 1000,
    } as unknown as Context;
    const step = { id: 'retire:app-1', do: 'retire' as const, release: 'r1', target: 'app-1', cause: '' };
    await HANDLERS.retire.run(step, context);
    return words;
  }

  it('is told that nobody comes any more before it is stopped, or it would wait for them', async () => {
    assert.deepEqual(await done(true), ['alone', 'removed']);
  });

  it('is not told when something in the proxy still goes by the older list', async () => {
    assert.deepEqual(await done(false), ['removed']);
  });
});

describe('a release that listens as soon as it boots', () => {
  it('is kept from the proxy before it is started, where it knows nothing of the contract', async () => {
    const done: string[] = [];
    const context = {
      config: { settings: { ctl: false } },
      engine: { start: async (id: string) => void done.push(`start ${id}`) },
      route: { withhold: async (ids: string[]) => void done.push(`withhold ${ids.join(' ')}`) },
      sessions: { with: async () => {} },
      weights: [],
      next: { id: 'app-2', name: 'app-2' },
      others: [{ id: 'app-3', name: 'app-3' }],
    } as unknown as Context;
    await HANDLERS.start.run({ id: 'start', do: 'start', release: 'r2', cause: '' }, context);
    assert.deepEqual(done, ['withhold app-2 app-3', 'start app-2', 'start app-3']);
  });
});

describe('a release that is taken back before it served', () => {
  it('has two seconds to end, however long a drain may take: one that boots does not hear SIGTERM', async () => {
    const given: number[] = [];
    const context = {
      engine: { stop: async (_id: string, ms: number) => void given.push(ms) },
      next: { id: 'app-2', name: 'app-2' },
      others: [],
    } as unknown as Context;
    const step = { id: 'start', do: 'start' as const, release: 'r2', cause: '' };
    for (const drainTimeoutMs of [30_000, 1000])
      await HANDLERS.start.undo!(step, { ...context, drainTimeoutMs });
    assert.deepEqual(given, [2000, 1000]);
    await HANDLERS.start.undo!(step, { ...context, drainTimeoutMs: 30_000, mayHaveUsers: true });
    assert.equal(given.at(-1), 30_000, 'once admitted it may still answer somebody');
  });
});
