import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Context } from '../../deployer/core/context.ts';
import { smoke } from '../../deployer/core/smoke.ts';
import { RefusedError } from '../../deployer/engine/session.ts';
import { DeployError } from '../../deployer/errors.ts';
import { deploySchema } from '../../deployer/schema.ts';

/** The smoke test against a small site; `r2` answers who brings the token, `r1` everybody else. */
const PAGES: Record<string, { status?: number; body: string }> = {
  '/': { body: '<a href="/team">team</a> <img src="/logo.png"><a href="https://example.org/">elsewhere</a>' },
  '/team': { body: '<a href="/lost">lost</a><a href="/">home</a>' },
  '/logo.png': { body: 'png' },
  '/sick': { status: 500, body: 'no such table\nat line 3' },
  '/old': { status: 301, body: '' },
};
const STEP = { id: 'smoke', do: 'smoke' as const, release: 'r2', token: 'secret', cause: '' };

describe('the smoke test', () => {
  let server: http.Server;
  let url: URL;
  let home: string;
  before(async () => {
    server = http.createServer((req, res) => {
      const next = req.headers['x-tasuki-preview'] === 'secret';
      const { status = 200, body } = PAGES[req.url === '/' ? home : (req.url ?? '')] ?? {
        status: 404,
        body: '',
      };
      res.writeHead(status, {
        'x-release': next ? 'r2' : 'r1',
        'content-type': 'text/html',
        'x-request-id': 'q7',
      });
      res.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  after(() => server.close());

  /** Runs it with `x-deploy` as given; `token` is what the instance was told, `code` how it refuses. */
  async function run(given: object, { token = 'secret', code = '', first = '/' } = {}): Promise<string> {
    home = first;
    const session = {
      ask: () => (code ? Promise.reject(new RefusedError(code, 'no')) : Promise.resolve({})),
    };
    const context = {
      url,
      timeoutMs: 5000,
      signal: new AbortController().signal,
      next: { id: 'c1', name: 'app-2' },
      sessions: { with: () => Promise.resolve(session), stateOf: () => Promise.resolve({ restarts: 0 }) },
      engine: { lastLines: () => Promise.resolve(['last words']), inspect: () => Promise.resolve(null) },
      config: { settings: deploySchema.parse(given) },
    };
    return await smoke({ ...STEP, token }, context as unknown as Context);
  }
  const details = async (running: Promise<string>): Promise<DeployError['details']> =>
    await running.then(
      (said) => assert.fail(`it passed: ${said}`),
      (error: unknown) => {
        assert.ok(error instanceof DeployError, String(error));
        return error.details;
      },
    );

  it('passes pages that are as expected, a redirect too', async () => {
    assert.equal(await run({}), '/ answers');
    const pages = ['/', '/old', { path: '/sick', status: 500 }, { path: '/team', contains: 'lost' }];
    assert.equal(await run({ smoke: pages }), '4 as expected');
  });

  it('names the page, what was expected, the request and the first line of the answer', async () => {
    const { code, what, evidence = [], next } = await details(run({ smoke: ['/', '/sick'] }));
    assert.equal(code, 'SMOKE_FAILED');
    assert.match(what, /\/sick: status 500, expected below 400$/);
    assert.deepEqual(evidence.slice(0, 2), ['request q7', 'answered: no such table']);
    assert.match(evidence.join('\n'), /last words/);
    assert.match(next, /deploy --hold/);
  });

  it('refuses another status, a text that is missing, and an error of the home page when nothing is configured', async () => {
    const other = await details(run({ smoke: [{ path: '/old', status: 302 }] }));
    assert.match(other.what, /\/old: status 301, expected 302/);
    const text = await details(run({ smoke: [{ path: '/team', contains: 'found' }] }));
    assert.match(text.what, /\/team: no "found" in it \(status 200\)/);
    const error = await details(run({}, { first: '/sick' }));
    assert.match(error.what, /\/: status 500$/);
  });

  it('follows the links of the site, and names a broken one with its page', async () => {
    const { code, what, evidence = [] } = await details(run({ links: ['/'] }));
    assert.equal(code, 'BROKEN_LINKS');
    assert.match(what, /^1 of 4 links of the new release do not answer/);
    assert.equal(evidence[0], '/team -> /lost: status 404');
  });

  it('is left out, with the reason, where image or proxy know no previews, and fails when it was asked for', async () => {
    const image = { code: 'UNKNOWN_COMMAND' };
    assert.match(await run({}, image), /^left out: the image does not know previews/);
    assert.equal((await details(run({ smoke: ['/'] }, image))).code, 'NO_PREVIEW');
    const proxy = { token: 'another' };
    assert.equal(await run({}, proxy), 'left out: the proxy knows no previews: r1 answered');
    assert.equal((await details(run({ links: ['/'] }, proxy))).code, 'NO_PREVIEW');
  });
});
