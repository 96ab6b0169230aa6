import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { load } from 'js-yaml';
import { deploySchema } from '../../deployer/schema.ts';
import { checkServices, type Service } from '../../deployer/services.ts';
import { checkStrategy, requireShares } from '../../deployer/strategy.ts';

const FILE = new URL('../fixtures/foreign/compose.yaml', import.meta.url);

/** The problems of the fixture, as `change` leaves it. */
async function problems(
  change: (services: Record<string, Service>, deploy: Record<string, unknown>) => void = () => {},
): Promise<string[]> {
  const project = load(await readFile(FILE, 'utf8')) as {
    'x-deploy': Record<string, unknown>;
    services: Record<string, Service>;
  };
  const { services } = project;
  change(services, project['x-deploy']);
  const settings = deploySchema.parse(project['x-deploy']);
  return [
    ...checkServices(services, settings),
    ...checkStrategy(services, settings, { values: {}, scale: 1 }),
  ];
}

describe('a project whose image knows nothing of tasuki', () => {
  it('is in order as test/fixtures/foreign has it: the app needs no run folder', async () => {
    assert.deepEqual(await problems(), []);
  });

  for (const [what, change, wanted] of [
    [
      'shares the network of the pod',
      (all) => (all.app!.network_mode = 'service:pod'),
      /^services\.app\.network_mode: take it out: with strategy upstream each release has an address/,
    ],
    [
      'has no name on its network',
      (all) => delete all.app!.networks,
      /^services\.app\.networks needs default: \{ aliases: \['\$\{TASUKI_RELEASE:-initial\}'\] \}/,
    ],
    [
      'has a name that is empty before the first deploy',
      (all) => (all.app!.networks = { default: { aliases: ['${TASUKI_RELEASE:-}'] } }),
      /aliases: \['\$\{TASUKI_RELEASE:-initial\}'\]/,
    ],
    [
      'does not say its release',
      (all) => delete all.app!.environment,
      /^services\.app\.environment needs RELEASE: \$\{TASUKI_RELEASE:-\}$/,
    ],
    [
      'has a fixed image',
      (all) => (all.app!.image = 'shop:v1'),
      /^services\.app\.image must be \$\{TASUKI_IMAGE:-/,
    ],
    [
      'has a proxy that is not told to choose',
      (all) => (all.proxy!.environment = { APP_ADDRESS: 'app:3000' }),
      /^services\.proxy\.environment needs STRATEGY: upstream and APP_ADDRESS: app:3000/,
    ],
    [
      'has a proxy that goes to the loopback',
      (all) => (all.proxy!.environment = { STRATEGY: 'upstream', APP_ADDRESS: '127.0.0.1:3000' }),
      /^services\.proxy\.environment\.APP_ADDRESS is 127\.0\.0\.1:3000, and must be app: and the port of the image/,
    ],
    [
      'has a proxy without a port',
      (all) => (all.proxy!.environment = { STRATEGY: 'upstream', APP_ADDRESS: 'app' }),
      /APP_ADDRESS is app, and must be app: and the port of the image, such as app:3000/,
    ],
    [
      'has a pod without the run folder',
      (all) => delete all.pod!.volumes,
      /^services\.pod\.volumes needs a volume on \/run\/tasuki/,
    ],
    [
      'is to share a port',
      (all, deploy) => {
        deploy.strategy = 'reuseport';
        all.app!.network_mode = 'service:pod';
        all.proxy!.environment = {};
      },
      /^x-deploy\.strategy must be upstream: with ctl: false nothing can be asked of the image$/,
    ],
  ] as [string, (services: Record<string, Service>, deploy: Record<string, unknown>) => void, RegExp][]) {
    it(`that ${what} is refused, and told what to write`, async () => {
      const [first, ...more] = await problems(change);
      assert.match(first ?? 'no problem', wanted);
      assert.deepEqual(more, [], 'one mistake, one problem');
    });
  }

  it('has no canary, and may have several containers', () => {
    const settings = deploySchema.parse({ strategy: 'upstream', ctl: false });
    assert.throws(
      () => requireShares({ settings, proxy: null }, '--canary'),
      /does not go with x-deploy\.strategy: upstream/,
    );
    assert.doesNotThrow(() => requireShares({ settings, proxy: null }, '--scale'));
  });
});
