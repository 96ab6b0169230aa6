import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Context } from '../../deployer/core/context.ts';
import { HANDLERS } from '../../deployer/core/steps.ts';
import { EXIT, type DeployError } from '../../deployer/errors.ts';

describe('the switch', () => {
  /** A context whose session loses the answer to `promote`; `record` is what the pod's folder then holds. */
  function losing(record: () => Promise<string | null>): Context {
    const ask = async (): Promise<never> => Promise.reject(new Error('broken pipe'));
    return {
      next: { id: 'new', name: 'app-2' },
      observed: { pod: { id: 'pod', imageId: '' }, instances: [] },
      others: [],
      baseline: { end: () => {} },
      sessions: { with: async () => ({ ask }) },
      engine: { readFile: record },
    } as unknown as Context;
  }
  const promote = { id: 'promote', cause: '', do: 'promote' as const, release: 'r2' };
  const names = (serving: string) => async (): Promise<string> =>
    JSON.stringify({ version: 1, serving, known: [], at: '' });

  it('happened when its answer is lost and the record names the new release', async () => {
    await HANDLERS.promote.run(promote, losing(names('r2')));
  });

  it('did not happen when its answer is lost and the record names the old one', async () => {
    await assert.rejects(HANDLERS.promote.run(promote, losing(names('r1'))), /broken pipe/);
  });

  it('needs a person when its answer is lost and the record cannot be read', async () => {
    const gone = async (): Promise<never> => Promise.reject(new Error('the engine is gone'));
    await assert.rejects(
      HANDLERS.promote.run(promote, losing(gone)),
      (error: DeployError) => error.exit === EXIT.incomplete && error.details.code === 'PIVOT_UNKNOWN',
    );
  });
});
