import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { css, fetchAsset, NEGOTIATION, writeAssets } from '../support/assets.ts';
import { docker, eventually, startStack, type Stack } from '../support/containers.ts';
import { ask, raw, see, UPSTREAM } from '../support/proxy.ts';
import { CAN, PROXIES } from '../support/proxies.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HASHED = 'public, max-age=31536000, immutable';

/** A name with a hash, of eight characters as the bundler makes them. */
const nameOf = (seed: string): string => `page-${seed.toUpperCase().padStart(8, '0')}.css`;

for (const proxy of PROXIES)
  void describe(`${proxy} as shipped serves the static files`, () => {
    const can = CAN[proxy];
    let stack: Stack;
    let dir: string;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'tasuki-assets-'));
      await chmod(dir, 0o755);
      stack = await startStack({ services: ['proxy'], proxy });
      await stack.runInPod(UPSTREAM);
      await eventually('the upstream answers', async () => (await ask(`${stack.url}/`)).status === 200);
      await publish('first', [nameOf('a'), nameOf('removed')]);
    });
    after(async () => {
      await stack?.down();
      if (dir) await rm(dir, { recursive: true, force: true });
    });

    /** Publishes as an instance does: the app's own code, as uid 1000, into the stack's volume or another. */
    async function publish(
      release: string,
      names: string[],
      volume = `${stack.project}_assets`,
    ): Promise<void> {
      await writeAssets(join(dir, release), Object.fromEntries(names.map((name) => [name, css(name)])));
      const publication = { to: '/srv/assets', from: '/from', release, keep: [] };
      const script = `import { publishAssets } from '/tasuki/app/web/publish-assets.ts';
      await publishAssets(${JSON.stringify(publication)});`;
      const volumes = [
        `${volume}:/srv/assets`,
        `${join(dir, release)}:/from:ro`,
        `${ROOT}/app:/tasuki/app:ro`,
        `${ROOT}/package.json:/tasuki/package.json:ro`,
      ].flatMap((mount) => ['--volume', mount]);
      const command = ['node:26-trixie-slim', 'node', '--input-type=module', '--eval', script];
      await docker(['run', '--rm', '--user', 'node', '--network', 'none', ...volumes, ...command]);
    }

    const url = (name: string): string => `${stack.url}/assets/${name}`;
    const inVolume = async (script: string): Promise<string> =>
      await stack.exec('pod', 'sh', '-euc', `cd /srv/assets; ${script}`);
    /** How often the app was asked for the file. */
    const reached = async (name: string): Promise<number> =>
      (await see(`${stack.url}/`)).seen[`/assets/${name}`] ?? 0;

    void test('a request for a file never reaches the app, unless the file is not there', async () => {
      const [there, removed] = [nameOf('a'), nameOf('removed')];
      await inVolume(`rm ${removed} */${removed}`);
      for (let i = 0; i < 10; i++) assert.equal((await fetchAsset(url(there))).text, css(there));
      assert.equal((await fetchAsset(url(there), {}, 'HEAD')).status, 200);
      assert.equal(await reached(there), 0);
      assert.match((await ask(url(removed))).text, /"method":"GET"/, 'the answer of the app');
      assert.equal(await reached(removed), 1);
      const line = await eventually('the line in the log', async () =>
        (await stack.logs('proxy')).split('\n').find((text) => text.includes(`"uri":"/assets/${there}"`)),
      );
      assert.match(line, /"status":200.*("upstream_addr":""|"release":null)/);
    });

    for (const [accept, encoding] of NEGOTIATION) {
      void test(`a client that takes ${accept ?? 'anything'} gets ${encoding ?? 'it as it is'}, byte for byte`, async () => {
        const name = nameOf('a');
        const { status, headers, bytes, text } = await fetchAsset(
          `${url(name)}?v=1`,
          accept === undefined ? {} : { 'Accept-Encoding': accept },
        );
        assert.equal(status, 200);
        assert.equal(headers['content-encoding'], encoding);
        assert.equal(text, css(name));
        assert.equal(headers['content-length'], String(bytes.length));
        assert.equal(headers['content-type'], 'text/css; charset=utf-8');
        assert.equal(headers.vary, 'Accept-Encoding');
      });
    }

    void test('an answer says how long it may be kept, what it is, and which request it was', async () => {
      const id = { 'X-Request-ID': 'asset-1', 'Accept-Encoding': 'br' };
      const { headers } = await fetchAsset(url(nameOf('a')), id);
      assert.equal(headers['cache-control'], HASHED);
      assert.equal(headers['x-request-id'], can.makeIds ? 'asset-1' : undefined);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      assert.equal(headers['x-release'], undefined);
      await inVolume('echo plain > plain.txt; for end in js svg woff2; do echo x > type.$end; done');
      const plain = await fetchAsset(url('plain.txt'), { 'Accept-Encoding': 'br' });
      assert.deepEqual([plain.text, plain.headers['content-encoding']], ['plain\n', undefined]);
      assert.equal(plain.headers['cache-control'], 'public, max-age=2592000');
      for (const [ending, type] of [
        ['js', /^(application|text)\/javascript; charset=utf-8$/],
        ['svg', /^image\/svg\+xml$/],
        ['woff2', /^font\/woff2$/],
      ] as const)
        assert.match(String((await fetchAsset(url(`type.${ending}`))).headers['content-type']), type);
    });

    void test('a copy that is still good is not sent again', async () => {
      const accept = { 'Accept-Encoding': 'zstd' };
      const { headers } = await fetchAsset(url(nameOf('a')), accept);
      const known = { ...accept, 'If-None-Match': String(headers.etag) };
      const again = await fetchAsset(url(nameOf('a')), known);
      assert.deepEqual([again.status, again.bytes.length], [304, 0]);
      assert.equal(again.headers['cache-control'], HASHED);
      assert.equal(again.headers.vary, 'Accept-Encoding');
      const other = await fetchAsset(url(nameOf('a')), { ...accept, 'If-None-Match': '"other"' });
      assert.equal(other.status, 200);
    });

    void test('a file is sent whole or not at all, and another method is the business of the app', async () => {
      const [name, accept] = [nameOf('a'), { 'Accept-Encoding': 'br' }];
      for (const range of can.sendWhole ? ['bytes=0-9', 'bytes=999999-'] : []) {
        const { status, text } = await fetchAsset(url(name), { ...accept, Range: range });
        assert.deepEqual([status, text], [200, css(name)]);
      }
      if (can.sendWhole) {
        const changed = await fetchAsset(url(name), { ...accept, 'If-Match': '"other"' });
        assert.equal(changed.status, 412);
        assert.equal((JSON.parse(changed.text) as { error: { code: number } }).error.code, 412);
        assert.equal(changed.headers['cache-control'], 'no-store');
      }
      const count = await reached(name);
      assert.match((await fetchAsset(url(name), {}, 'POST')).text, /"method":"POST"/);
      assert.equal(await reached(name), count + 1);
    });

    void test('a page of the old release still gets its file when the new one has published', async () => {
      await publish('old', [nameOf('old')]);
      await publish('new', [nameOf('new')]);
      for (const seed of ['new', 'old']) {
        const { text, headers } = await fetchAsset(url(nameOf(seed)), { 'Accept-Encoding': 'gzip' });
        assert.deepEqual([text, headers['content-encoding']], [css(nameOf(seed)), 'gzip']);
        assert.equal(await reached(nameOf(seed)), 0);
      }
    });

    void test('the lists of the releases, dot files, links and what lies outside are not served', async () => {
      const lists = (await inVolume('ls releases')).split('\n');
      assert.ok(lists.length > 0);
      await inVolume('echo hidden-secret > .hidden; echo hidden-secret > tmp/x; ln -s /etc/passwd etc.txt');
      const paths = [
        ...lists.map((list) => `releases/${list}`),
        `releases%2f${lists[0]}`,
        'releases',
        'br',
        '',
        '.hidden',
        'br/../.hidden',
        '/.hidden',
        '.%00hidden',
        'tmp/x',
        'etc.txt',
        '../../etc/passwd',
        '%2e%2e/%2e%2e/etc/passwd',
        '..%2f..%2fetc%2fpasswd',
      ];
      for (const path of paths) {
        const answer = await raw(
          stack.port,
          `GET /assets/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        );
        assert.match(
          answer,
          /^HTTP\/1.1 (400 |200 [^]*"method":"GET")/,
          `${path}: the app's answer, or none`,
        );
        assert.doesNotMatch(answer, /hidden-secret|root:|"files"/, path);
      }
      const served = await raw(
        stack.port,
        `GET /assets/x/../${nameOf('a')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      if (can.mend)
        assert.ok(
          served.endsWith(css(nameOf('a'))),
          'while a path that ends at a file of the volume is served',
        );
    });

    void test('on a full disk publishing fails and leaves no half file behind', async () => {
      const names = Array.from({ length: 40 }, (_, i) => nameOf(`n${i}`));
      const disk = ['type=tmpfs', 'device=tmpfs', 'o=size=64k,uid=1000'].flatMap((option) => [
        '--opt',
        option,
      ]);
      const small = await docker(['volume', 'create', '--label', `of=${stack.project}`, ...disk]);
      // A volume of memory lasts as long as a container uses it.
      const hold = ['--network', 'none', 'node:26-trixie-slim', 'sleep', 'infinity'];
      const holder = await docker(['run', '--detach', '--init', '--volume', `${small}:/srv/assets`, ...hold]);
      try {
        await assert.rejects(publish('large', names, small), /ENOSPC/);
        const sizes = 'cd /srv/assets; ls tmp; for f in page-*; do [ ! -e $f ] || wc -c < $f; done';
        const left = (await docker(['exec', holder, 'sh', '-c', sizes])).split('\n').filter(Boolean);
        for (const size of left)
          assert.ok(
            names.some((name) => css(name).length === Number(size)),
            size,
          );
      } finally {
        await docker(['rm', '--force', holder]);
        await docker(['volume', 'rm', small]);
      }
    });
  });
