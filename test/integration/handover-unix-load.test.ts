import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/containers.ts';
import { loadSocket, type SocketLoad } from '../support/socket-load.ts';
import { UnixInstances } from '../support/unix-instances.ts';

const LANES = 64;
const HANDOVERS = 6;
const TRIES = 20;

describe('serve() on a unix socket, one release after another,', { timeout: 240_000 }, () => {
  const all = UnixInstances.ofSuite();
  const start = all.start.bind(all);

  /** Deploys under load, every third not promoted, at most `count` until a request fails. */
  async function handOver(count: number, env: Record<string, string>): Promise<SocketLoad> {
    let old = start('r0', env);
    await old.until('serving');
    const load = loadSocket(all.name, LANES);
    const enough = async (): Promise<void> => {
      const { sent } = load;
      await eventually('requests are sent', async () => load.sent > sent + 300 || load.failures.length > 0);
    };
    for (let n = 1; n <= count && load.failures.length === 0; n++) {
      const next = start(`r${n}`, env);
      await next.until('standby');
      await enough();
      const control = await next.session();
      await control.ask('admit');
      await enough();
      if (n % 3 > 0) {
        await control.ask('promote');
        await old.until('parked');
        [old] = [next];
      }
      control.close();
      await enough();
    }
    return await load.stop();
  }

  it('loses no POST of a connection of its own, by handovers and by loans that end', async (t) => {
    const load = await handOver(HANDOVERS, { BUSY_MS: '1' });
    t.diagnostic(`${load.failures.length} of ${load.sent} lost in ${HANDOVERS} handovers`);
    assert.deepEqual(load.failures, []);
    assert.equal(Object.keys(load.byRelease).length, HANDOVERS + 1, 'each release has answered');
  });

  it('loses some, as a control, when the listener closes without a look at who waits there', async (t) => {
    const load = await handOver(TRIES, { BUSY_MS: '1', HASTY: '1' });
    const handovers = Object.keys(load.byRelease).length - 1;
    t.diagnostic(`${load.failures.length} of ${load.sent} lost in ${handovers} handovers`);
    assert.ok(load.failures.length > 0, `nothing lost in ${TRIES} handovers: this load is blind`);
  });

  it('loses no POST when SIGHUP replaces its children', async (t) => {
    const one = start('r0', { BUSY_MS: '1' });
    const before = (await one.until('serving')).children.map(({ pid }) => pid);
    const load = loadSocket(all.name, LANES);
    one.process.kill('SIGHUP');
    await eventually(
      'both children are new',
      async () => {
        const { children } = await one.state();
        return children.length === 2 && children.every(({ pid, ready }) => ready && !before.includes(pid));
      },
      30_000,
    );
    const { sent } = load;
    await eventually('the new ones answer', async () => load.sent > sent + 300);
    await load.stop();
    t.diagnostic(`${load.failures.length} of ${load.sent} lost`);
    assert.deepEqual(load.failures, []);
  });
});
