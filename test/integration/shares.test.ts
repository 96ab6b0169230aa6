import assert from 'node:assert/strict';
import http from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { weightsFor } from '../../deployer/core/canary.ts';
import { eventually, freePort } from '../support/containers.ts';
import { HostInstance } from '../support/instance.ts';

const CONNECTIONS = 20_000;
const AT_ONCE = 32;
const CHILDREN = { next: 2, old: 2 };

/** The release that answers a request on a connection of its own. */
function ask(port: number, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = http.get({ port, host: '127.0.0.1', path, agent: false }, (res) => {
      res.resume();
      res.on('end', () => resolve(String(res.headers['x-release'])));
    });
    req.setTimeout(10_000, () => req.destroy(new Error('no answer')));
    req.on('error', reject);
  });
}

describe('two releases on one port', { timeout: 300_000 }, () => {
  let dir: string;
  let port: number;
  let old: HostInstance;
  let next: HostInstance;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-shares-'));
    port = await freePort();
    old = new HostInstance(dir, port, 'r1');
    await old.until('serving');
    next = new HostInstance(dir, port, 'r2');
    await next.until('standby');
  });
  after(async () => {
    await next?.[Symbol.asyncDispose]();
    await old?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** The percentage of connections that the new release gets. */
  async function share(): Promise<number> {
    let left = CONNECTIONS;
    let mine = 0;
    const client = async (): Promise<void> => {
      while (left-- > 0) if ((await ask(port)) === 'r2') mine++;
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    return (mine / CONNECTIONS) * 100;
  }

  it(`get the shares that they are weighed to, within 2 points of ${CONNECTIONS} connections`, async (t) => {
    const [mine, theirs] = [await next.session(), await old.session()];
    const weigh = async (percent: number): Promise<void> => {
      const weights = weightsFor(percent, CHILDREN);
      await theirs.ask('weigh', { sockets: weights.old });
      await mine.ask('weigh', { sockets: weights.next });
    };
    await weigh(1);
    await mine.ask('admit');
    for (const percent of [1, 10, 50]) {
      await weigh(percent);
      const found = await share();
      t.diagnostic(`${percent} % wanted, ${found.toFixed(2)} % of ${CONNECTIONS} connections found`);
      assert.ok(Math.abs(found - percent) < 2);
    }
    mine.close();
    theirs.close();
  });

  it('leave only when those are answered who came by a socket that a smaller share has shut', async () => {
    const alone = await freePort();
    await using leaving = new HostInstance(await mkdtemp(join(dir, 'alone-')), alone, 'r3');
    await leaving.until('serving');
    const control = await leaving.session();
    await control.ask('weigh', { sockets: 8 });
    // One after the other: whose socket is still open must not be the last by chance.
    const answers = Promise.allSettled(
      Array.from({ length: 40 }, (_, at) => ask(alone, `/slow?ms=${1000 + 50 * at}`)),
    );
    await eventually('all have arrived', async () => {
      const { children } = await leaving.state();
      return children.reduce((sum, { connections }) => sum + connections, 0) === 40;
    });
    await control.ask('weigh', { sockets: 1 });
    const drain = (await control.ask('retire', { deadlineMs: 10_000 })) as { answered: number; cut: number };
    const failed = (await answers).filter(({ status }) => status === 'rejected');
    assert.deepEqual([failed.length, drain.answered, drain.cut], [0, 40, 0]);
  });
});
