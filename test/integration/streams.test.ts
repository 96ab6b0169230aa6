import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import type { Drain } from '../../deployer/contract.ts';
import { eventually, freePort } from '../support/containers.ts';
import { HostInstance } from '../support/instance.ts';

const CLIENTS = 20;
const DEADLINE_MS = 4000;

describe('a release that leaves the port', { timeout: 120_000 }, () => {
  let dir: string;
  let port: number;
  let instance: HostInstance;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-streams-'));
    port = await freePort();
    instance = new HostInstance(dir, port, 'r1', {}, 'streams');
    await instance.until('serving');
  });
  afterEach(async () => {
    await instance[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** Ends the instance as the engine does, and gives what it says of its drain. */
  async function drained(): Promise<Drain> {
    const control = await instance.session();
    return (await control.ask('retire', { deadlineMs: DEADLINE_MS })) as Drain;
  }

  /** A stream of events that has begun; `ended` is all of its text. */
  async function events(): Promise<{ ended: Promise<string> }> {
    const req = http.get({ port, path: '/events', agent: false });
    const [res] = (await once(req, 'response')) as [http.IncomingMessage];
    let text = '';
    res.setEncoding('utf8').on('data', (part: string) => (text += part));
    await once(res, 'data');
    return { ended: once(res, 'end').then(() => text) };
  }

  it('closes each WebSocket with code 1012, after what was under way, and not all at one moment', async (t) => {
    const clients = Array.from({ length: CLIENTS }, () => new WebSocket(`ws://127.0.0.1:${port}/`));
    await Promise.all(clients.map((client) => once(client, 'open')));
    const answers = clients.map((client) => once(client, 'message'));
    for (const client of clients) client.send('x'.repeat(100_000));
    const start = performance.now();
    const closed = clients.map(async (client) => {
      const [code] = (await once(client, 'close')) as [number];
      return { code, ms: performance.now() - start };
    });
    const drain = await drained();
    for (const [data] of await Promise.all(answers)) assert.equal(String(data).length, 100_000);
    const ends = await Promise.all(closed);
    assert.deepEqual(new Set(ends.map(({ code }) => code)), new Set([1012]));
    const times = ends.map(({ ms }) => ms);
    const spread = Math.max(...times) - Math.min(...times);
    t.diagnostic(`${CLIENTS} WebSockets closed within ${Math.round(spread)} ms`);
    assert.ok(spread > 200, `spread over ${spread} ms`);
    assert.deepEqual([drain.streams, drain.cut], [CLIENTS, 0]);
  });

  it('ends a stream of events behind an event, and counts it apart from what was cut', async () => {
    const streams = await Promise.all(Array.from({ length: CLIENTS }, () => events()));
    const drain = await drained();
    for (const { ended } of streams) assert.match(await ended, /^(?:id: \d+\ndata: begin end\n\n)+$/);
    assert.deepEqual([drain.streams, drain.cut, drain.answered], [CLIENTS, 0, 0]);
  });

  it('names the requests that its deadline has cut', async () => {
    const req = http.get({ port, path: '/slow?secret=1', agent: false });
    req.on('error', () => {});
    await eventually('it has come', async () => {
      return (await instance.state()).children.some(({ requests }) => requests > 0);
    });
    const drain = await drained();
    assert.deepEqual([drain.cut, drain.cutRequests, drain.streams], [1, ['GET /slow'], 0]);
  });
});
