import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Context } from '../../deployer/core/context.ts';
import { drain } from '../../deployer/core/drain.ts';

/** Drains "app-1", which the proxy is done with in time or not; gives what it was asked, in order. */
async function asked(isLeft: boolean): Promise<string[]> {
  const words: string[] = [];
  let phase = 'serving';
  const session = {
    ask: async (word: string) => {
      words.push(word);
      if (word === 'park') phase = 'draining';
      if (word === 'alone') phase = 'parked';
      if (!isLeft) phase = 'parked'; // by itself, after its time
    },
    until: async (done: (state: object) => boolean) => {
      for (;;) {
        const state = { phase, drain: { ms: 1, answered: 2, cut: 0 } };
        if (done(state)) return state;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  const context = {
    config: { settings: { ctl: ['node', 'ctl'] } },
    route: { left: async () => isLeft },
    sessions: { anew: async () => session },
    drainTimeoutMs: 1000,
  } as unknown as Context;
  const step = { id: 'drain', do: 'drain' as const, release: 'r1', targets: ['app-1'], cause: '' };
  assert.equal(await drain(step, context), '2 requests answered while leaving, 0 cut');
  return words;
}

describe(
  'the old release, when it has not drained in the time that the deployer has',
  { timeout: 5000 },
  () => {
    const late = async (phase: string): Promise<string> => {
      const session = {
        state: { phase },
        ask: async () => {},
        until: async () => await Promise.reject(new Error(`still ${phase}`)),
      };
      const context = {
        config: { settings: { ctl: ['node', 'ctl'] } },
        engine: { inspect: async () => ({ State: { Running: true } }) },
        observed: { instances: [] },
        sessions: { anew: async () => session },
        drainTimeoutMs: 1000,
      } as unknown as Context;
      return await drain({ id: 'drain', do: 'drain', release: 'r1', targets: ['app-1'], cause: '' }, context);
    };

    it('is left to be stopped when it is off the port: it has a longer time of its own', async () => {
      assert.match(await late('draining'), /still answers/);
    });

    it('fails the step when it is still on the port', async () => {
      await assert.rejects(late('serving'), /did not leave the port: still serving/);
    });
  },
);

describe('the old release, where the proxy is told who serves', { timeout: 5000 }, () => {
  it('is told once the proxy is done with it, when it is leaving', async () => {
    assert.deepEqual(await asked(true), ['park', 'alone']);
  });

  it('is not told when something in the proxy still goes by the older list', async () => {
    assert.deepEqual(await asked(false), ['park']);
  });
});
