import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import type { Context } from '../../deployer/core/context.ts';
import type { DeployError } from '../../deployer/errors.ts';
import { confirm } from '../../deployer/proxy/confirm.ts';
import { PROXY_HANDLERS } from '../../deployer/proxy/handlers.ts';

/** What `socketsOf` reads of one that listens. */
const LISTENING = `  0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77
lrwx------ 1 root root 64 Jan 1 00:00 5 -> socket:[77]
`;
const CAUSE = { cause: '' };

/** As the engine sends the output of an exec: a head of eight bytes, and the text. */
function framed(text: string): Buffer {
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt32BE(text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** A context in which the engine loses the answer to each signal, and the old proxy says this of its sockets; null: nothing. */
function losing(sockets: string | null, removed: string[] = []): Context {
  const said = (): Duplex => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    stream.push(framed(sockets ?? ''));
    stream.push(null);
    return stream;
  };
  const exec = {
    start: async () => said(),
    inspect: async () => ({ ExitCode: sockets === null ? 1 : 0 }),
  };
  const engine = {
    inspect: async () => ({ State: { Running: true }, Config: {}, RestartCount: 0 }),
    signal: async () => await Promise.reject(new Error('socket hang up')),
    instances: async () => [{ id: 'old', name: 'old', visible: true, running: true }],
    remove: async (id: string) => void removed.push(id),
    docker: { getContainer: () => ({ exec: async () => exec }) },
  };
  const config = { project: 'p', settings: { proxy: 'proxy' } };
  return { engine, config, next: { id: 'new', name: 'new' } } as unknown as Context;
}
const leave = async (context: Context): Promise<string | void> =>
  await PROXY_HANDLERS['proxy-leave'].run(
    { id: 'leave', do: 'proxy-leave', targets: ['old'], ...CAUSE },
    context,
  );

describe('the switch of a handover of the proxy, when the engine does not answer', () => {
  it('fails, and is undone, when the old one has not heard it', async () => {
    await assert.rejects(leave(losing(LISTENING)), /socket hang up/);
  });

  it('is made when the old one has left the ports', async () => {
    await leave(losing(''));
  });

  it('is not undone when nobody knows: both proxies may be leaving then', async () => {
    await assert.rejects(leave(losing(null)), (error: DeployError) => {
      return error.details.code === 'PIVOT_UNKNOWN' && error.exit === 3;
    });
  });

  it('takes the new one away only while the old one listens', async () => {
    const create = { id: 'create', do: 'proxy-create' as const, image: 'nginx', scale: 2, ...CAUSE };
    const removed: string[] = [];
    await assert.rejects(
      async () => PROXY_HANDLERS['proxy-create'].undo!(create, losing('', removed)),
      /not ended/,
    );
    assert.deepEqual(removed, []);
    await PROXY_HANDLERS['proxy-create'].undo!(create, losing(LISTENING, removed));
    assert.deepEqual(removed, ['new']);
  });
});

/** Confirms a proxy whose log has every second request; those answer with `own`, the other ones with `others`. */
async function confirmed(own: number, others: number, judge?: 'any'): Promise<string> {
  const log: string[] = [];
  const server = http.createServer((req, res) => {
    const id = String(req.headers['x-request-id']);
    const isOwn = Number(/-(\d+)\.$/.exec(id)?.[1]) % 2 === 0;
    if (isOwn) log.push(id);
    res.writeHead(isOwn ? own : others).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const context = {
    engine: {
      inspect: async () => ({ State: { Running: true }, RestartCount: 0 }),
      linesSince: async () => log.join('\n'),
    },
    config: { settings: { probe: '/', url } },
    url: new URL(url),
    signal: new AbortController().signal,
  } as unknown as Context;
  try {
    return await confirm(context, { id: 'new', name: 'proxy-2' }, judge);
  } finally {
    server.close();
  }
}

describe('a proxy that is seen to answer', { timeout: 60_000 }, () => {
  it('serves when its answers are well', async () => {
    assert.match(await confirmed(200, 200), /answers are its own/);
  });

  it('does not serve when it alone answers with server errors', async () => {
    await assert.rejects(confirmed(502, 200), /answered on the public port with status 502/);
  });

  it('is as good as the other when both answer so: the app is ill, and the deploy that mends it must not wait', async () => {
    assert.match(await confirmed(502, 502), /answers are its own/);
  });

  it('may be the only one that is left, whatever the app says', async () => {
    assert.match(await confirmed(502, 200, 'any'), /answers are its own/);
  });
});
