import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BOOT, hidden, instance, next, observed, words } from '../support/plans.ts';

describe('the plan of a deploy that is held', () => {
  const held = instance('held-r9', 'r9', { visible: false, held: 'secret' });
  const state = observed('r2', ['r1'], [instance('app-2', 'r2'), instance('parked-r1', 'r1', hidden)]);
  const withHeld = { ...state, instances: [...state.instances, held] };

  it('stops before admission, out of the sight of Compose, and has no switch', () => {
    const boot = BOOT.split('\n').slice(0, 6);
    boot.splice(2, 0, '  hide r9 from Compose');
    assert.equal(words({ ...next, hold: true }, state), boot.join('\n'));
  });

  it('asks for no page with --no-smoke', () => {
    assert.doesNotMatch(words({ ...next, smoke: false }, state), /pages/);
  });

  it('goes on with admit: healthy still, then as any deploy, and Compose sees it in the end', () => {
    assert.equal(
      words({ kind: 'admit', held }, withHeld),
      [
        'undone if anything fails\n  wait until it is healthy in standby\n  see that it stays up\n  admit r9\n  see it answer through the proxy',
        'the switch\n  promote r9',
        'after it\n  write app:r9 to .env\n  drain r2\n  start r9 where Compose sees it\n  park r2',
        '  retire app-2\n  retire parked-r1\n  retire held-r9',
      ].join('\n'),
    );
  });

  it('is removed by abort, and nothing else is', () => {
    assert.equal(words({ kind: 'abort', held }, withHeld), 'after it\n  retire held-r9');
  });

  it('stays through a rollback, and gives way to the next deploy', () => {
    const to = instance('parked-r1', 'r1', hidden);
    assert.doesNotMatch(words({ kind: 'rollback', to }, withHeld), /held-r9/);
    assert.match(words(next, withHeld), /^tidy up\n {2}retire held-r9\n/);
  });
});
