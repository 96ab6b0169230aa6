import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { CheckResult, ReleaseRecord, State } from '../../deployer/contract.ts';
import type { Engine } from '../../deployer/engine/docker.ts';
import { ForeignSession } from '../../deployer/engine/foreign.ts';
import { RefusedError } from '../../deployer/engine/session.ts';

/** The proxy is a server of the test, and the engine knows one container; what is written in the pod is e2e's to see. */

const ID = 'abcdef0123456789';

async function sessionWith(
  t: TestContext,
  answer: RequestListener,
  record: ReleaseRecord | null = null,
): Promise<{ session: ForeignSession; container: { Running: boolean; RestartCount: number } }> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const container = { Running: true, RestartCount: 2 };
  const stream = {
    on: () => stream,
    once: (event: string, done: () => void) => (event === 'end' && done(), stream),
  };
  const exec = {
    start: async () => ({ ...stream, end: () => {} }),
    inspect: async () => ({ ExitCode: 0 }),
  };
  const engine = {
    docker: { getContainer: () => ({ exec: async () => exec }) },
    inspect: async () => ({ State: { Running: container.Running }, RestartCount: container.RestartCount }),
  } as unknown as Engine;
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const around = { pod: 'pod', url, health: '/health', release: 'r2', record: async () => record };
  return { session: new ForeignSession(engine, ID, 'app-2', around), container };
}
const OK: RequestListener = (_, res) => res.setHeader('X-Release', ID.slice(0, 12)).end('ok');
const serves = (serving: string): ReleaseRecord => ({ version: 1, serving, known: [], at: '' });

describe('the session with an image that knows nothing of the contract', () => {
  it('is booting until its health path answers below 400, and then in standby while another serves', async (t) => {
    let status = 503;
    const { session } = await sessionWith(
      t,
      (_, res) => {
        res.statusCode = status;
        res.setHeader('X-Release', 'abc').end('no database');
      },
      serves('r1'),
    );
    const first = (await session.ask('state')) as State;
    assert.deepEqual([first.phase, first.problem], ['booting', '/health answered 503: no database']);
    status = 200;
    assert.equal(((await session.ask('state')) as State).phase, 'standby');
  });

  it('serves when the record names its release, and on loan from its admission on', async (t) => {
    const { session } = await sessionWith(t, OK, serves('r1'));
    const admitted = (await session.ask('admit')) as State;
    assert.deepEqual([admitted.phase, admitted.onLoan], ['serving', true]);
    assert.equal(((await session.ask('park')) as State).phase, 'standby');
    const other = await sessionWith(t, OK, serves('r2'));
    const state = (await other.session.ask('state')) as State;
    assert.deepEqual([state.phase, state.onLoan], ['serving', false]);
  });

  it('does not take what the proxy says by itself for an answer of the image', async (t) => {
    for (const [status, said] of [
      [200, 'the proxy answered 200 in its place'],
      [308, 'the proxy answered 308 in its place'],
      [410, 'the proxy cannot connect to it'],
    ] as const) {
      const { session } = await sessionWith(t, (_, res) => {
        res.statusCode = status;
        res.end();
      });
      const { status: found, body } = (await session.ask('check')) as CheckResult;
      assert.deepEqual([found, body], [599, said]);
    }
  });

  it('takes a redirection for an answer, follows it nowhere, and says where it leads', async (t) => {
    const { session } = await sessionWith(t, (req, res) => {
      res.statusCode = req.url === '/health' ? 302 : 500;
      res.setHeader('X-Release', 'abc').setHeader('Location', 'https://elsewhere.example/login').end();
    });
    const { status, body } = (await session.ask('check')) as CheckResult;
    assert.deepEqual([status, body], [302, 'it leads to https://elsewhere.example/login']);
  });

  it('asks the proxy for this container by a token that begins with its id', async (t) => {
    const asked: (string | string[] | undefined)[] = [];
    const { session } = await sessionWith(t, (req, res) => {
      asked.push(req.headers['x-tasuki-preview']);
      res.setHeader('X-Release', 'abc').end();
    });
    await session.ask('check', { path: '/deep' });
    assert.match(String(asked[0]), /^abcdef012345_[\w-]{16}$/);
  });

  it('counts the times that the engine has started it again since it is looked at', async (t) => {
    const { session, container } = await sessionWith(t, OK);
    assert.equal(((await session.ask('state')) as State).restarts, 0);
    container.RestartCount += 1;
    assert.equal(((await session.ask('state')) as State).restarts, 1);
  });

  it('ends with its container, and refuses what such an image cannot do', async (t) => {
    const { session, container } = await sessionWith(t, OK);
    for (const command of ['pause', 'figures', 'loosen', 'weigh'])
      await assert.rejects(session.ask(command), (error) => {
        return error instanceof RefusedError && error.code === 'UNKNOWN_COMMAND';
      });
    await assert.rejects(
      session.until((state) => state.phase === 'parked', 10),
      { code: 'TIMEOUT' },
    );
    container.Running = false;
    await assert.rejects(session.ask('state'), { code: 'SESSION_CLOSED' });
    assert.equal(session.isOver, true);
  });
});
