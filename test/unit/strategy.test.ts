import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../deployer/config.ts';
import { judgeSocketVolume } from '../../deployer/doctor/socket.ts';
import { judgeKernel } from '../../deployer/doctor/machine.ts';
import { DeployError, EXIT } from '../../deployer/errors.ts';
import { deploySchema } from '../../deployer/schema.ts';
import { requireShares, variableOf } from '../../deployer/strategy.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BOTH = 'compose.yaml:proxy/strategies/unix.yaml';

describe('the strategy of a project', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'tasuki-strategy-'));
    for (const part of ['compose.yaml', 'proxy'])
      await cp(join(ROOT, part), join(cwd, part), { recursive: true });
  });
  after(async () => await rm(cwd, { recursive: true, force: true }));

  /** The problems of the shipped file with these after it. */
  async function problems(COMPOSE_FILE: string, more: Record<string, string> = {}): Promise<string[]> {
    return await loadConfig({ files: [], cwd, env: { COMPOSE_FILE, ...more } }).then(
      () => [],
      (error: unknown) => {
        assert.ok(error instanceof DeployError, String(error));
        assert.equal(error.exit, EXIT.config);
        return error.details.evidence?.length ? error.details.evidence : [error.details.what];
      },
    );
  }
  async function overlaid(name: string, text: string): Promise<string> {
    await writeFile(join(cwd, name), text);
    return `${BOTH}:${name}`;
  }

  it('is unix with the override file that is shipped, and reuseport without', async () => {
    const strategy = async (COMPOSE_FILE: string): Promise<string> =>
      (await loadConfig({ files: [], cwd, env: { COMPOSE_FILE } })).settings.strategy;
    assert.deepEqual([await strategy(BOTH), await strategy('compose.yaml')], ['unix', 'reuseport']);
  });

  it('must fit the addresses of app and proxy; each problem says what to write', async () => {
    const other = (await overlaid('back.yaml', 'x-deploy: { strategy: reuseport }')).replace(
      /.*:/,
      `${BOTH}:`,
    );
    const [listen, address, ...rest] = await problems(other);
    assert.match(listen ?? '', /services\.app\.environment\.LISTEN is unix:\S+: remove it, or set x-deploy/);
    assert.match(
      address ?? '',
      /services\.proxy\.environment\.APP_ADDRESS is unix:\S+: write the app's port/,
    );
    assert.deepEqual(rest, []);
    await writeFile(join(cwd, 'only.yaml'), 'x-deploy: { strategy: unix }');
    const said = (await problems('compose.yaml:only.yaml')).join('\n');
    assert.match(said, /app\.environment needs LISTEN: unix:\/run\/tasuki\/app\.sock with x-deploy/);
    assert.match(said, /proxy\.environment\.APP_ADDRESS is 127\.0\.0\.1:3000, and must be unix:\/run/);
  });

  it('may have another name for the socket, the same for both, in the run folder', async () => {
    const file = (app: string, proxy: string): string =>
      `services:\n  app: { environment: [LISTEN=${app}] }\n  proxy: { environment: { APP_ADDRESS: '${proxy}' } }`;
    const own = 'unix:/run/tasuki/shop.sock';
    assert.deepEqual(await problems(await overlaid('own.yaml', file(own, own))), []);
    const [differs] = await problems(await overlaid('differs.yaml', file(own, 'unix:/run/tasuki/app.sock')));
    assert.match(
      differs ?? '',
      /APP_ADDRESS is unix:\/run\/tasuki\/app\.sock, and must be unix:\/run\/tasuki\/shop/,
    );
    const [elsewhere] = await problems(
      await overlaid('tmp.yaml', file('unix:/tmp/a.sock', 'unix:/tmp/a.sock')),
    );
    assert.match(elsewhere ?? '', /needs LISTEN: unix:\/run\/tasuki\/app\.sock/);
  });

  it('unix is for one container, and for no shares; the error names the strategy that can', async () => {
    const [scale] = await problems(BOTH, { TASUKI_SCALE: '3' });
    assert.match(scale ?? '', /services\.app\.scale is 3, and must be 1 .*WEB_CONCURRENCY/);
    const unix = deploySchema.parse({ strategy: 'unix' });
    for (const flag of ['--canary', '--scale'] as const) {
      assert.throws(
        () => requireShares({ settings: unix, proxy: null }, flag),
        /does not go with x-deploy\.strategy: unix/,
      );
      assert.doesNotThrow(() => requireShares({ settings: deploySchema.parse({}), proxy: null }, flag));
    }
  });

  it('upstream is for one container behind h2o, which sends to one address', async () => {
    const both = 'compose.yaml:proxy/strategies/upstream.yaml';
    const h2o = { PROXY: 'h2o' };
    assert.deepEqual(await problems(both, h2o), []);
    assert.deepEqual(await problems(both, { TASUKI_SCALE: '3' }), []);
    const [scale] = await problems(both, { ...h2o, TASUKI_SCALE: '3' });
    assert.match(scale ?? '', /services\.app\.scale is 3, and must be 1 with PROXY=h2o .*WEB_CONCURRENCY/);
    const config = async (more: Record<string, string>) =>
      await loadConfig({ files: [], cwd, env: { COMPOSE_FILE: both, ...more } });
    const behind = [await config(h2o), await config({})] as const;
    assert.throws(() => requireShares(behind[0], '--scale'), /upstream and PROXY=h2o: h2o sends to one/);
    assert.doesNotThrow(() => requireShares(behind[1], '--scale'));
  });

  it('is read from either form of an environment, the last file first, with variables filled in', () => {
    const environment = [{ LISTEN: 'a', B: null }, [undefined, ['LISTEN=${X:-b}', 'C']]];
    assert.equal(variableOf({ environment }, 'LISTEN', {}), 'b');
    assert.equal(variableOf({ environment }, 'LISTEN', { X: 'c=d' }), 'c=d');
    assert.equal(variableOf({ environment }, 'B', {}), undefined);
  });

  it('unix works on any kernel, and needs one volume for app and proxy', () => {
    assert.equal(judgeKernel('5.4.0', 'unix').level, 'ok');
    assert.match(judgeKernel('5.4.0').advice ?? '', /x-deploy\.strategy: unix/);
    const at = (name: string, source: string | null) => ({ name, source });
    const judge = (app: string | null, proxy: string | null) =>
      judgeSocketVolume('/run/tasuki', [at('app', app)], [at('proxy', proxy)]);
    assert.equal(judge('run', 'run').level, 'ok');
    assert.match(judge('run', null).found, /no volume on \/run\/tasuki in proxy/);
    assert.match(judge('run', 'other').found, /different volumes .*app run, proxy other/);
    assert.equal(judgeSocketVolume('/run/tasuki', [at('app', 'run')], []).level, 'fail');
  });
});
