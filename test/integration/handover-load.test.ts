import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { State } from '../../deployer/contract.ts';
import { eventually, freePort } from '../support/containers.ts';
import { Control } from '../support/instance.ts';
import { startLoad, type Load, type LoadReport } from '../support/load/index.ts';

/** Echoes. With NODE_CLOSE a drain begins with Node's own server.close() instead of closing the listener alone. */
const ECHO = `
import http from 'node:http';
import net from 'node:net';
import { exitOnFailure, serve } from '${new URL('../../app/handover/index.ts', import.meta.url).href}';
const { close } = net.Server.prototype;
const begun = new WeakSet();
if (process.env.NODE_CLOSE) net.Server.prototype.close = function (done) {
  if (!(this instanceof http.Server) || begun.has(this)) return close.call(this, done);
  begun.add(this);
  return http.Server.prototype.close.call(this, done);
};
serve((req, res) => {
  res.setHeader('x-request-id', req.headers['x-request-id'] ?? '');
  req.pipe(res);
}).catch(exitOnFailure);
`;
const HANDOVERS = 6;
const TRIES = 30;

describe('serve(), one release after another,', { timeout: 300_000 }, () => {
  let dir: string;
  let port: number;
  let running: AsyncDisposable[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-load-'));
    await writeFile(join(dir, 'echo.mjs'), ECHO);
    port = await freePort();
    running = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((one) => one[Symbol.asyncDispose]()));
    await rm(dir, { recursive: true, force: true });
  });

  /** An instance of ECHO, once its control socket is open. */
  async function start(release: string, env: Record<string, string> = {}) {
    const socket = join(dir, `${release}.sock`);
    const own = { PORT: String(port), HOST: '127.0.0.1', RUN_DIR: dir, CONTROL_SOCKET: socket };
    const child = spawn(process.execPath, [join(dir, 'echo.mjs')], {
      env: { ...process.env, ...own, RELEASE: release, WEB_CONCURRENCY: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const one = { child, output: '' };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (one.output += text));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    running.push({ [Symbol.asyncDispose]: async () => void (child.kill('SIGKILL'), await ended) });
    const control = await eventually('its socket is open', async () => await Control.open(socket), 30_000);
    const is = async (phase: State['phase']): Promise<State> =>
      await eventually(
        `${release} is ${phase}`,
        async () => {
          const state = (await control.ask('state')) as State;
          return state.phase === phase ? state : null;
        },
        30_000,
      );
    return Object.assign(one, { control, is, ended });
  }

  /** POSTs on kept connections, by a client that writes without a look whether the server has closed. */
  async function posts(): Promise<Load> {
    const kept = { keepAlive: 24, fresh: 0, keepAliveClient: 'socket', mix: { update: 1 } } as const;
    return await startLoad({ target: `http://127.0.0.1:${port}`, ...kept });
  }
  async function answeredAgain(load: Load): Promise<void> {
    const { answered } = await load.counters();
    await load.until((now) => now.answered > answered + 300, 20_000);
  }

  /** Hands over under load, at most `count` times, until a request fails. */
  async function handOver(count: number, env: Record<string, string> = {}): Promise<LoadReport> {
    let old = await start('e0', env);
    await old.is('serving');
    await using load = await posts();
    for (let n = 1; n <= count && (await load.counters()).failed === 0; n++) {
      const next = await start(`e${n}`, env);
      await next.is('standby');
      await answeredAgain(load);
      await next.control.ask('admit');
      await next.control.ask('promote');
      await old.is('parked');
      await old.control.ask('retire');
      assert.equal(await old.ended, 0);
      old = next;
    }
    await answeredAgain(load);
    return await load.stop();
  }

  it('loses no POST on a kept connection', async (t) => {
    const report = await handOver(HANDOVERS);
    t.diagnostic(`${report.failed} of ${report.sent} lost in ${HANDOVERS} handovers`);
    assert.equal(report.failed, 0, JSON.stringify(report.byError));
    assert.equal(report.extraResponses, 0);
    assert.equal(Object.keys(report.byRelease).length, HANDOVERS + 1, 'each release has answered');
  });

  it("loses some, as a control, when the drain uses Node's own server.close()", async (t) => {
    const report = await handOver(TRIES, { NODE_CLOSE: '1' });
    const handovers = Object.keys(report.byRelease).filter(Boolean).length - 1;
    t.diagnostic(`${report.failed} of ${report.sent} lost in ${handovers} handovers`);
    assert.ok(report.failed > 0, `nothing lost in ${TRIES} handovers: this load is blind`);
  });

  /** Lets all children of an instance be replaced under load, by `begin` or by themselves. */
  async function turnOver(env: Record<string, string>, begin: (pid: number) => void): Promise<LoadReport> {
    const one = await start('e0', { WEB_CONCURRENCY: '2', ...env });
    const before = (await one.is('serving')).children.map(({ pid }) => pid);
    await using load = await posts();
    await answeredAgain(load);
    begin(one.child.pid ?? 0);
    await eventually(
      'both children are new',
      async () => {
        const { children, restarts } = (await one.control.ask('state')) as State;
        assert.equal(restarts, 0, 'a child that is replaced has not crashed');
        assert.ok(
          children.some(({ ready }) => ready),
          'somebody must be there all the time',
        );
        return children.length === 2 && children.every(({ pid, ready }) => ready && !before.includes(pid));
      },
      60_000,
    );
    await answeredAgain(load);
    return await load.stop();
  }

  it('loses no POST on a kept connection when SIGHUP replaces its children', async (t) => {
    const report = await turnOver({}, (pid) => process.kill(pid, 'SIGHUP'));
    t.diagnostic(`${report.failed} of ${report.sent} lost`);
    assert.equal(report.failed, 0, JSON.stringify(report.byError));
  });

  it('loses none either when children are replaced after so many requests, or above so much memory', async (t) => {
    for (const [limit, value] of [
      ['RECYCLE_REQUESTS', '500-3000'],
      ['RECYCLE_MEMORY_MB', '32'],
    ] as const) {
      const report = await turnOver({ [limit]: value }, () => {});
      t.diagnostic(`${limit}=${value}: ${report.failed} of ${report.sent} lost`);
      assert.equal(report.failed, 0, JSON.stringify(report.byError));
    }
  });

  it('(control) keeps its children when it is told of no limit', async () => {
    const one = await start('e0', { RECYCLE_REQUESTS: '900000000-900000000' });
    const before = (await one.is('serving')).children.map(({ pid }) => pid);
    await using load = await posts();
    await load.until(({ answered }) => answered > 5000, 30_000);
    await load.stop();
    assert.deepEqual(
      (await one.is('serving')).children.map(({ pid }) => pid),
      before,
    );
  });

  it('drains, then ends with 0, when it is told to retire, and the record stays', async () => {
    await (await start('e0')).is('serving');
    const next = await start('e1');
    await next.is('standby');
    await next.control.ask('admit');
    const drain = (await next.control.ask('retire', { deadlineMs: 1000 })) as { cut: number };
    assert.equal(drain.cut, 0);
    assert.equal(await next.ended, 0);
    assert.match(await readFile(join(dir, 'record.json'), 'utf8'), /"serving":"e0"/);
  });

  it('does not start on a record that it cannot read: it might serve beside another', async () => {
    await writeFile(join(dir, 'record.json'), '{"version":1,"ser');
    const one = await start('e0');
    assert.equal(await one.ended, 1);
    assert.match(one.output, /cannot start: /);
  });

  it('follows the next whole record after one that it could not read', async () => {
    const old = await start('e0');
    await old.is('serving');
    const next = await start('e1');
    await next.is('standby');
    await writeFile(join(dir, 'record.json'), 'rubbish');
    await eventually('it says so', async () => next.output.includes('cannot read the record'));
    assert.equal((await old.is('serving')).problem, null);
    const whole = { version: 1, serving: 'e1', known: ['e0'], at: new Date().toISOString() };
    await writeFile(join(dir, 'record.json'), JSON.stringify(whole));
    await Promise.all([old.is('parked'), next.is('serving')]);
  });
});
