import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { eventually, freePort } from '../support/containers.ts';
import { HostInstance } from '../support/instance.ts';

describe('serve()', { timeout: 240_000 }, () => {
  let dir: string;
  let port: number;
  let running: HostInstance[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-serve-'));
    port = await freePort();
    running = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((one) => one[Symbol.asyncDispose]()));
    await rm(dir, { recursive: true, force: true });
  });

  function start(release: string, env: Record<string, string> = {}): HostInstance {
    const one = new HostInstance(dir, port, release, env);
    running.push(one);
    return one;
  }
  const record = async (): Promise<{ serving: string; known: string[] }> =>
    JSON.parse(await readFile(join(dir, 'record.json'), 'utf8')) as { serving: string; known: string[] };
  const get = async (path = '/'): Promise<Response> =>
    await fetch(`http://127.0.0.1:${port}${path}`, {
      signal: AbortSignal.timeout(10_000),
      headers: { connection: 'close' },
    });

  /** r1 serves, r2 is in standby. */
  async function pair(): Promise<[HostInstance, HostInstance]> {
    const r1 = start('r1');
    await r1.until('serving');
    const r2 = start('r2');
    await r2.until('standby');
    return [r1, r2];
  }

  it('serves and writes the record when there is none, as release "initial" when it was given no name', async () => {
    await start('').until('serving');
    assert.equal((await record()).serving, 'initial');
    assert.equal((await get()).headers.get('x-release'), 'initial');
  });

  it('stays off the port while the record names another release', async () => {
    const [, r2] = await pair();
    assert.equal((await get()).headers.get('x-release'), 'r1');
    const control = await r2.session();
    assert.equal(((await control.ask('check', { path: '/' })) as { status: number }).status, 200);
    control.close();
  });

  it('gives its connections to the next release one after the other, and at once when it is stopped', async (t) => {
    const [r1, r2] = await pair();
    /** Asks on so many connections, again and again, until each is closed behind an answer; milliseconds to the last. */
    const spreadOf = async (leave: () => Promise<unknown>): Promise<number> => {
      const agents = Array.from({ length: 20 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
      await Promise.all(agents.map((agent) => ask(agent)));
      const left = leave();
      const began = performance.now();
      const ends = agents.map(async (agent) => {
        while (await ask(agent)) if (performance.now() - began > 8000) throw new Error('never closed');
        return performance.now() - began;
      });
      const times = await Promise.all(ends);
      await left;
      for (const agent of agents) agent.destroy();
      return Math.max(...times) - Math.min(...times);
    };
    const ask = async (agent: http.Agent): Promise<boolean> => {
      const [res] = (await once(http.get({ port, agent }), 'response')) as [http.IncomingMessage];
      res.resume();
      await once(res, 'end');
      return res.headers.connection !== 'close';
    };
    const gently = await spreadOf(async () => {
      const control = await r2.session();
      await control.ask('admit');
      await control.ask('promote');
      control.close();
    });
    await r1.until('parked');
    const atOnce = await spreadOf(async () => r2.process.kill('SIGTERM'));
    t.diagnostic(
      `one after the other within ${Math.round(gently)} ms, at once within ${Math.round(atOnce)} ms`,
    );
    assert.ok(gently > 400, `one after the other within ${gently} ms`);
    assert.ok(atOnce < gently / 2, `at once within ${atOnce} ms`);
  });

  it('leaves the port again when the session that admitted it ends before it was promoted', async () => {
    const [r1, r2] = await pair();
    const control = await r2.session();
    await control.ask('admit');
    assert.equal((await r2.state()).onLoan, true);
    control.close();
    await r2.until('parked');
    assert.equal((await r1.state()).phase, 'serving');
    assert.equal((await record()).serving, 'r1');
  });

  it('hands over by the record alone: the promoted stays when its session ends, the other parks by itself', async () => {
    const [r1, r2] = await pair();
    const control = await r2.session();
    await control.ask('admit');
    await control.ask('promote');
    control.close();
    await r1.until('parked');
    assert.equal((await r2.state()).phase, 'serving');
    assert.deepEqual((await record()).known, ['r1']);
    assert.equal((await get()).headers.get('x-release'), 'r2');
  });

  it('refuses to park the release that the record names, and to promote one that does not serve', async () => {
    const [r1, r2] = await pair();
    await assert.rejects((await r1.session()).ask('park'), /SERVES/);
    await assert.rejects((await r2.session()).ask('promote'), /NOT_SERVING/);
  });

  it('can be admitted again while its drain still lasts', async () => {
    const [r1, r2] = await pair();
    const slow = get('/?ms=1500');
    const second = await r2.session();
    await second.ask('admit');
    await second.ask('promote');
    const first = await r1.session();
    await first.ask('admit');
    await first.ask('promote');
    assert.equal((await r1.state()).phase, 'serving');
    await r2.until('parked');
    assert.equal((await slow).status, 200);
  });

  it('answers slow requests before it ends on SIGTERM, and ends with 0', async () => {
    const r1 = start('r1');
    await r1.until('serving');
    const slow = get('/?ms=1000');
    await eventually('the request has arrived', async () =>
      (await r1.state()).children.some((one) => one.requests > 0),
    );
    r1.process.kill('SIGTERM');
    assert.equal((await slow).status, 200);
    assert.equal(await r1.ended(), 0);
  });

  it('answers slow requests also when it is told to end while it leaves the port already', async () => {
    const [r1, r2] = await pair();
    const slow = get('/?ms=1500');
    await eventually('the request has arrived', async () =>
      (await r1.state()).children.some((one) => one.requests > 0),
    );
    const control = await r2.session();
    await control.ask('admit');
    await control.ask('promote');
    await r1.until('draining');
    r1.process.kill('SIGTERM');
    assert.equal((await slow).status, 200);
    assert.equal(await r1.ended(), 0);
  });

  it('with an address of its own ends sooner when it has been told that nobody comes any more', async () => {
    // It would wait 8 s for them, and the other, which has less time, 2 s.
    const told = start('r1', { LISTEN: 'own', DRAIN_TIMEOUT_MS: '30000' });
    const port2 = String(await freePort());
    const untold = start('r1', { LISTEN: 'own', DRAIN_TIMEOUT_MS: '4000', PORT: port2 });
    await Promise.all([told.until('serving'), untold.until('serving')]);
    const control = await told.session();
    await control.ask('alone');
    for (const one of [untold, told]) one.process.kill('SIGTERM');
    const first = await Promise.race([told.ended().then(() => 'told'), untold.ended().then(() => 'untold')]);
    assert.equal(first, 'told');
    control.close();
  });

  it('cuts what is still running at the drain deadline, and counts it', async () => {
    const r1 = start('r1', { DRAIN_TIMEOUT_MS: '300' });
    await r1.until('serving');
    const slow = get('/?ms=20000').then(
      () => 'answered',
      () => 'cut',
    );
    await eventually('the request has arrived', async () =>
      (await r1.state()).children.some((one) => one.requests > 0),
    );
    r1.process.kill('SIGTERM');
    assert.equal(await slow, 'cut');
    assert.equal(await r1.ended(), 0);
    assert.match(r1.output, /"cut":1/);
  });

  it('replaces all children on SIGHUP, one by one, with the port answered throughout', async () => {
    const r1 = start('r1');
    const before = (await r1.until('serving')).children.map(({ pid }) => pid);
    r1.process.kill('SIGHUP');
    await eventually('both children are new', async () => {
      assert.equal((await get()).status, 200);
      const now = (await r1.state()).children;
      return now.length === 2 && now.every(({ pid, ready }) => ready && !before.includes(pid));
    });
  });

  it('replaces a child that ends by itself, and counts it', async () => {
    const r1 = start('r1');
    await r1.until('serving');
    await get('/crash').catch(() => {});
    await eventually('two children are ready again', async () => {
      const { children, restarts } = await r1.state();
      return restarts === 1 && children.length === 2 && children.every(({ ready }) => ready);
    });
  });

  it('keeps the children it has when a fresh one cannot boot', async () => {
    const flag = join(dir, 'broken');
    const r1 = start('r1', { BROKEN_FILE: flag });
    const before = (await r1.until('serving')).children.map(({ pid }) => pid);
    await writeFile(flag, '');
    r1.process.kill('SIGHUP');
    await eventually('it says so', async () => r1.output.includes('reload failed; the old children stay'));
    const after = await r1.state();
    assert.deepEqual([after.phase, after.children.map(({ pid }) => pid)], ['serving', before]);
    assert.equal((await get()).status, 200);
  });

  it('ends with an error and its reason when it cannot boot', async () => {
    const broken = start('r1', { BROKEN: '1' });
    assert.notEqual(await broken.ended(), 0);
    assert.match(broken.output, /no database/);
  });

  it('refuses a control socket that a running instance holds', async () => {
    const r1 = start('r1');
    await r1.until('serving');
    const second = start('r2', { CONTROL_SOCKET: r1.socket });
    assert.notEqual(await second.ended(), 0);
    assert.match(second.output, /CONTROL_IN_USE/);
    assert.equal((await r1.state()).phase, 'serving');
  });

  it('answers a line that is no request with an error, and a torn record harms nothing', async () => {
    const r1 = start('r1');
    await r1.until('serving');
    const control = await r1.session();
    assert.equal((await control.send(null, 'rubbish\n')).error?.code, 'BAD_REQUEST');
    await assert.rejects(control.ask('dance'), /UNKNOWN_COMMAND/);
    await writeFile(join(dir, 'record.json'), '{"version":1,"ser');
    assert.equal((await get()).status, 200);
    assert.equal((await r1.state()).phase, 'serving');
  });
});
