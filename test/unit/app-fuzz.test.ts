import assert from 'node:assert/strict';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { appWith } from '../support/app.ts';

const REQUESTS = 3000;
const ROUTES = [
  '/',
  '/update',
  '/echo',
  '/slow?ms=0',
  '/healthz',
  '/readyz',
  '/metrics',
  '/assets/',
  '/assets/board.css',
  '/x',
];
const RARE = ['HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH', 'PURGE'];
const TYPES = [
  'application/json',
  'application/json; charset=utf-16',
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=\\xff',
  'multipart/form-data; boundary=b',
  'multipart/form-data',
  'text/plain',
  ';;;',
  '*/*',
];
const BODIES = [
  '',
  '{"text":"a","team":1}',
  '{"text":{"toString":1},"team":{"$gt":""}}',
  '{"__proto__":{"x":1},"constructor":{"prototype":{}}}',
  '[[[[[[[[[[[[[[[[',
  '{"text":"\\ud800"}',
  'text=%ff%fe&team=%00',
  'text[a][b]=1&text[]=2&__proto__[x]=1',
  '--b\r\nContent-Disposition: form-data; name="a"; filename="\r\n',
  'null',
  '"a"',
  '1e999',
  '\u0000\u0001\u00ff',
  'a'.repeat(5000),
];
/** What no answer may hold: a stack, a path of the server, a package. */
const INTERNALS = /node_modules|\/app\/|\bat \S+ \(|\.ts:\d|\.js:\d|ERR_[A-Z_]+|SELECT |INSERT /;

/** Mulberry32: the same requests in each run, so that what it finds can be found again. */
function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

void describe('odd requests on every route', () => {
  let server: http.Server;
  let port: number;
  before(async () => {
    server = http.createServer(appWith().app).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    ({ port } = server.address() as AddressInfo);
  });
  after(() => server.close());

  /** Sends bytes as they are and gives all that comes back until the server closes. */
  function send(bytes: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1');
      let text = '';
      socket.setTimeout(5000, () =>
        socket.destroy(new Error(`no answer to ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`)),
      );
      socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
      socket.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'ECONNRESET' ? resolve(text) : reject(error),
      );
      socket.once('end', () => resolve(text));
      socket.end(bytes);
    });
  }

  function make(random: () => number): Buffer {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const noise = (length: number): string =>
      Buffer.from(Array.from({ length }, () => Math.floor(random() * 256))).toString('latin1');
    const clean = (text: string): string => text.replaceAll(/[^\x20-\x7e\x80-\xff]/g, '_');
    const path = pick([
      () => pick(ROUTES),
      () => pick(ROUTES),
      () => pick(ROUTES),
      () => pick(ROUTES),
      () => `${pick(ROUTES)}?${clean(noise(20)).replaceAll(/[^\x21-\x7e]/g, '%')}`,
      () => `/${encodeURIComponent(noise(10))}%`,
      () => `/assets/..%2f..%2fpackage.json`,
      () => `/assets/%00`,
      () => `/%E0%A4%A`,
      () => `//evil.example/%2e%2e/`,
    ])();
    const body = Buffer.from(pick([() => pick(BODIES), () => noise(Math.floor(random() * 200))])(), 'latin1');
    const headers = [
      `Host: ${pick(['localhost', 'localhost', 'a:b:c', 'x'.repeat(300)])}`,
      'Connection: close',
      `Content-Type: ${pick(TYPES)}`,
      pick([
        `Content-Length: ${body.length}`,
        `Content-Length: ${body.length}`,
        `Content-Length: ${body.length}`,
        `Content-Length: ${body.length}`,
        'Transfer-Encoding: chunked',
        `Content-Length: ${body.length + 9}`,
      ]),
      pick([
        'X-A: 1',
        `Cookie: ${clean(noise(30))}`,
        `Accept: ${clean(noise(20))}`,
        'Accept-Encoding: zstd;q=x',
        `Content-Encoding: ${pick(['gzip', 'br', 'odd'])}`,
      ]),
      pick([
        'X-A: 1',
        `X-Request-ID: ${clean(noise(9))}`,
        'X-Forwarded-For: ,,::1%lo',
        'If-None-Match: W/"',
        'Range: bytes=9-1',
        'Expect: 100-continue',
      ]),
    ];
    return Buffer.concat([
      Buffer.from(
        `${pick(['GET', 'POST', pick(RARE)])} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`,
        'latin1',
      ),
      body,
    ]);
  }

  void test('are answered without a 500, without a crash, and without a word about the inside', async (t) => {
    const random = dice(20_261_121);
    const statuses: Record<string, number> = {};
    for (let n = 0; n < REQUESTS; n++) {
      const request = make(random);
      const answer = await send(request);
      const status = /^HTTP\/1\.1 (?!100)(\d+)/m.exec(answer)?.[1] ?? 'closed';
      statuses[status] = (statuses[status] ?? 0) + 1;
      const shown = JSON.stringify(request.toString('latin1').slice(0, 400));
      assert.ok(!status.startsWith('5'), `${status} for ${shown}: ${answer.slice(-300)}`);
      // What a client sent may come back to it; the rest must not tell.
      if (!/ \/echo/.test(request.toString('latin1').slice(0, 20)))
        assert.doesNotMatch(answer, INTERNALS, shown);
    }
    t.diagnostic(JSON.stringify(statuses));
    assert.ok(
      statuses['200']! > 100 && statuses['404']! > 100 && statuses['400']! > 10,
      'all kinds must be there',
    );
    assert.match(
      await send(Buffer.from('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')),
      /^HTTP\/1\.1 200/,
    );
  });

  void test('(control) a route that fails would be seen', async () => {
    const { app } = appWith({
      cheers: { add: async () => 1, latest: () => Promise.reject(new Error('boom')) },
    });
    const broken = http.createServer(app).listen(0, '127.0.0.1');
    await new Promise((resolve) => broken.once('listening', resolve));
    const res = await fetch(`http://127.0.0.1:${(broken.address() as AddressInfo).port}/`);
    assert.equal(res.status, 500);
    broken.close();
  });
});
