import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fetchAsset } from '../support/assets.ts';
import {
  APP_IMAGE,
  buildAppImage,
  docker,
  eventually,
  startStack,
  type Stack,
} from '../support/containers.ts';
import { ask } from '../support/proxy.ts';

void describe('the static files of the app as built', () => {
  let stack: Stack;
  let extra: string | undefined;

  before(async () => {
    await buildAppImage();
    stack = await startStack({ env: { WEB_CONCURRENCY: '2' } });
  });
  after(async () => {
    if (extra) await docker(['rm', '--force', extra]);
    await stack?.down();
  });

  void test('are served by the proxy as soon as the app is there, and by the app where the proxy lacks one', async () => {
    const page = (await ask(stack.url)).text;
    const paths = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    const [sheet, icon] = ['.css', '.svg'].map((ending) => paths.find((path) => path.endsWith(ending)));
    assert.ok(sheet && icon);
    await stack.exec('pod', 'sh', '-euc', `cd /srv; rm .${icon}`);
    const byProxy = await fetchAsset(stack.url + sheet, { 'Accept-Encoding': 'gzip, deflate, br, zstd' });
    assert.equal(byProxy.headers['content-encoding'], 'br');
    assert.equal(byProxy.headers['x-release'], undefined);
    assert.equal(byProxy.text.trimEnd(), await stack.exec('app', 'cat', `/app${sheet}`));
    const byApp = await fetchAsset(stack.url + icon);
    assert.equal(byApp.headers['x-release'], 'initial');
    assert.equal(byApp.text.trimEnd(), await stack.exec('app', 'cat', `/app${icon}`));
    for (const { headers } of [byProxy, byApp]) {
      assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
      assert.equal(headers.vary, 'Accept-Encoding');
      assert.equal(headers['x-content-type-options'], 'nosniff');
    }
  });

  void test('that cannot be published are a warning, and the instance boots', async () => {
    const variables = ['RELEASE=second', 'ASSETS_DIR=/proc/assets', 'HOST=127.0.0.1', 'WEB_CONCURRENCY=1'];
    const format = '{{range .Config.Env}}{{println .}}{{end}}';
    const env = await docker(['inspect', '--format', format, await stack.container('app')]);
    const inherited = env.split('\n').filter((line) => /^(DATABASE|REDIS|CACHE)_/.test(line));
    const volumes = ['_run:/run/tasuki', '_secrets:/run/secrets-store:ro'];
    extra = await docker([
      'run',
      '--detach',
      '--network',
      `container:${await stack.container('pod')}`,
      ...volumes.flatMap((volume) => ['--volume', stack.project + volume]),
      ...[...inherited, ...variables].flatMap((variable) => ['--env', variable]),
      APP_IMAGE,
    ]);
    const log = await eventually(
      'standby',
      async () => {
        const text = await docker(['logs', extra!]);
        return text.includes('"msg":"standby"') && text.includes('cannot publish') ? text : null;
      },
      60_000,
    );
    assert.match(log, /"level":"warn".*"release":"second".*cannot publish the static files/);
  });
});
