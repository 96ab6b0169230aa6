import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lastOf, waitedFor } from '../../deployer/hooks/schema.ts';

describe('the hooks of a run', () => {
  const all = { command: 'true', timeout: 1000 };
  const configured = {
    'pre-deploy': all,
    'post-admit': all,
    'post-deploy': all,
    'on-failure': all,
    'on-rollback': all,
  };

  it('are waited for by a deploy, as far as they are configured, and never by a rollback', () => {
    assert.deepEqual(waitedFor(configured, 'deploy'), ['pre-deploy', 'post-admit']);
    assert.deepEqual(waitedFor({ 'post-admit': all }, 'deploy'), ['post-admit']);
    assert.deepEqual(waitedFor({}, 'deploy'), []);
    assert.deepEqual(waitedFor(configured, 'rollback'), []);
    assert.deepEqual(waitedFor(configured, 'hold'), ['pre-deploy']);
    assert.deepEqual(waitedFor(configured, 'admit'), ['post-admit']);
  });

  it('end with the one for how it ended', () => {
    assert.equal(lastOf('deploy', 'done'), 'post-deploy');
    assert.equal(lastOf('rollback', 'done'), 'on-rollback');
    for (const command of ['deploy', 'rollback'])
      for (const outcome of ['failed', 'interrupted', 'incomplete'] as const)
        assert.equal(lastOf(command, outcome), 'on-failure');
    assert.equal(lastOf('admit', 'returned'), 'on-failure');
    assert.equal(lastOf('hold', 'held'), null);
    assert.equal(lastOf('abort', 'aborted'), null);
    assert.equal(lastOf('proxy', 'done'), null);
    assert.equal(lastOf('proxy', 'failed'), null);
  });
});
