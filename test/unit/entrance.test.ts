import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { onOwnPort } from '../../app/handover/entrance.ts';

describe('a release that leaves an address of its own', { timeout: 7000 }, () => {
  const entrance = onOwnPort({ host: '127.0.0.1', port: 3000 });

  it('waits for who may still be sent, but not longer than it has', async () => {
    let isOver = false;
    const leaving = entrance.lastIn(100, new AbortController().signal).then(() => (isOver = true));
    await turn();
    assert.equal(isOver, false);
    assert.equal(await leaving, true);
  });

  it('waits no longer once it is told that nobody will be, before or while it leaves', async () => {
    const alone = new AbortController();
    const leaving = entrance.lastIn(60_000, alone.signal);
    alone.abort();
    await leaving;
    await entrance.lastIn(60_000, alone.signal);
  });
});
