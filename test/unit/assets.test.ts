import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import express, { type ErrorRequestHandler } from 'express';
import { assets } from '../../app/web/assets.ts';
import { css, fetchAsset, NEGOTIATION, writeAssets } from '../support/assets.ts';

describe('the app serves the static files where no proxy does', () => {
  const name = 'page-0000000A.css';
  let dir: string;
  let to: string;
  let server: http.Server;
  let url: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-assets-'));
    to = join(dir, 'assets');
    await writeAssets(to, { [name]: css('a'), 'plain.txt': 'plain' });
    await writeFile(join(to, 'only.txt'), 'no smaller form');
    await writeFile(join(to, '.secret'), 'x');
    await writeFile(join(dir, 'outside.txt'), 'x');
    const tellError: ErrorRequestHandler = (error: { status: number }, _req, res, _next) =>
      res.status(error.status).json({});
    server = http
      .createServer(express().disable('etag').use('/assets', assets(to)).use(tellError))
      .listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/assets`;
  });
  after(async () => {
    server?.closeAllConnections();
    server?.close();
    await rm(dir, { recursive: true, force: true });
  });

  for (const [accept, encoding] of NEGOTIATION) {
    test(`a client that takes ${accept ?? 'anything'} gets ${encoding ?? 'it as it is'}, byte for byte`, async () => {
      const { status, headers, bytes, text } = await fetchAsset(
        `${url}/${name}?v=1`,
        accept === undefined ? {} : { 'Accept-Encoding': accept },
      );
      assert.equal(status, 200);
      assert.equal(headers['content-encoding'], encoding);
      assert.equal(text, css('a'));
      assert.equal(headers['content-length'], String(bytes.length));
      assert.equal(headers['content-type'], 'text/css; charset=utf-8');
      assert.equal(headers.vary, 'Accept-Encoding');
    });
  }

  test('a file without a smaller form is sent as it is', async () => {
    const { headers, text } = await fetchAsset(`${url}/only.txt`, { 'Accept-Encoding': 'br, gzip' });
    assert.deepEqual([headers['content-encoding'], text], [undefined, 'no smaller form']);
    assert.equal(headers.vary, 'Accept-Encoding');
  });

  test('a name with a hash is kept for good, another for a month', async () => {
    const [hashed, plain] = await Promise.all([fetchAsset(`${url}/${name}`), fetchAsset(`${url}/plain.txt`)]);
    assert.equal(hashed.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(plain.headers['cache-control'], 'public, max-age=2592000');
  });

  test('a copy that is still good is not sent again', async () => {
    const accept = { 'Accept-Encoding': 'br' };
    const { headers } = await fetchAsset(`${url}/${name}`, accept);
    const again = await fetchAsset(`${url}/${name}`, { ...accept, 'If-None-Match': String(headers.etag) });
    assert.deepEqual([again.status, again.bytes.length], [304, 0]);
    const other = await fetchAsset(`${url}/${name}`, { ...accept, 'If-None-Match': '"other"' });
    assert.equal(other.status, 200);
  });

  test('a file is sent whole, or an error that carries nothing of it', async () => {
    const accept = { 'Accept-Encoding': 'br' };
    const { status, text } = await fetchAsset(`${url}/${name}`, { ...accept, Range: 'bytes=9-' });
    assert.deepEqual([status, text], [200, css('a')]);
    const changed = await fetchAsset(`${url}/${name}`, { ...accept, 'If-Match': '"other"' });
    assert.deepEqual([changed.status, changed.text], [412, '{}']);
    assert.match(String(changed.headers['content-type']), /^application\/json/);
    assert.equal(changed.headers.etag, undefined);
  });

  test('folders, dot files and what lies outside are not served', async () => {
    const paths = [
      '',
      'br',
      `br/${name}`,
      '.secret',
      '../outside.txt',
      '%2e%2e/outside.txt',
      '..%2foutside.txt',
    ];
    for (const path of paths) {
      const [answer] = (await once(http.get(`${url}/${path}`, { path: `/assets/${path}` }), 'response')) as [
        http.IncomingMessage,
      ];
      answer.resume();
      assert.equal(answer.statusCode, 404, path);
    }
    assert.equal((await fetchAsset(`${url}/plain.txt`)).status, 200);
  });
});
