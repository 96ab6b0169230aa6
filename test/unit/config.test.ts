import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { dump } from 'js-yaml';
import { loadConfig, type Config, type ProjectOptions } from '../../deployer/config.ts';
import { DeployError, EXIT } from '../../deployer/errors.ts';
import { parseYaml } from '../../deployer/yaml.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GOOD = await readFile(join(ROOT, 'compose.yaml'), 'utf8');

interface Shape {
  'x-deploy': Record<string, unknown>;
  services: Record<'app' | 'pod', Record<string, unknown>>;
}

/** The shipped file with something changed. */
function edited(edit: (shape: Shape) => void): string {
  const shape = parseYaml(GOOD) as Shape;
  edit(shape);
  return dump(shape);
}

describe('a project', () => {
  let base: string;
  let count = 0;
  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'tasuki-config-'));
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
  });

  /** A folder with these files, and those that the shipped one takes its proxy from. */
  async function folder(files: Record<string, string>, name = `shop${count++}`): Promise<string> {
    const path = join(base, name);
    await mkdir(path, { recursive: true });
    await cp(join(ROOT, 'proxy'), join(path, 'proxy'), { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
    return path;
  }
  async function load(
    files: Record<string, string>,
    more: Partial<ProjectOptions> = {},
    name?: string,
  ): Promise<Config> {
    return await loadConfig({ files: [], cwd: await folder(files, name), env: {}, ...more });
  }
  /** Everything the one error says. */
  async function refused(files: Record<string, string>, more: Partial<ProjectOptions> = {}) {
    const error = await load(files, more).then(
      () => assert.fail('it was accepted'),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof DeployError, String(error));
    const { code, what, evidence = [], next } = error.details;
    return { exit: error.exit, code, text: [what, ...evidence].join('\n'), evidence, next };
  }

  it('as it is shipped is accepted, with every other setting at its default', async () => {
    const { settings, project, image, files, envFile, directory } = await load({ 'compose.yaml': GOOD });
    assert.match(project, /^shop\d+$/);
    assert.equal(image, 'app:v1');
    assert.deepEqual(files, [join(directory, 'compose.yaml')]);
    assert.equal(envFile, join(directory, '.env'));
    assert.deepEqual(settings, {
      service: 'app',
      pod: 'pod',
      strategy: 'reuseport',
      proxy: 'proxy',
      workers: ['worker'],
      health: '/readyz',
      probe: '/healthz',
      ctl: ['node', 'ctl'],
      timeout: 60_000,
      'drain-timeout': 30_000,
      settle: 100,
      'boot-weight': 'auto',
      migrate: ['migrate'],
      'migrate-timeout': 600_000,
      links: [],
      watch: 5000,
      park: true,
      prune: true,
      'keep-images': 5,
      'free-memory': 64 * 1024 ** 2,
      'free-disk': 500 * 1024 ** 2,
      hooks: {},
    });
  });

  const hooks = (shape: Shape, more: object): void => {
    shape['x-deploy'].hooks = { ...(shape['x-deploy'].hooks as object), ...more };
  };
  const rules: [string, (shape: Shape) => void, RegExp][] = [
    [
      'an app service',
      (s) => delete (s.services as Record<string, unknown>).app,
      /^.*services\.app is missing/,
    ],
    ['a pod service', (s) => delete (s.services as Record<string, unknown>).pod, /services\.pod is missing/],
    ['the services that x-deploy names', (s) => (s['x-deploy'].service = 'web'), /services\.web is missing/],
    ['an image that a release can set', (s) => (s.services.app.image = 'app:v1'), /app\.image must be/],
    ['RELEASE from the release', (s) => delete s.services.app.environment, /app\.environment needs RELEASE/],
    ['the network of the pod', (s) => delete s.services.app.network_mode, /network_mode must be service:pod/],
    ['the run folder in the app', (s) => (s.services.app.volumes = []), /services\.app\.volumes needs/],
    ['the run folder in the pod', (s) => delete s.services.pod.volumes, /services\.pod\.volumes needs/],
    ['only known settings', (s) => (s['x-deploy'].colour = 'red'), /"colour"; known are service, pod/],
    ['durations with a unit', (s) => (s['x-deploy'].settle = 'soon'), /settle: "soon" is not a duration/],
    ['paths that start with /', (s) => (s['x-deploy'].probe = 'healthz'), /probe: must be a path/],
    ['a control command that is a list', (s) => (s['x-deploy'].ctl = []), /x-deploy\.ctl: /],
    ['an http address', (s) => (s['x-deploy'].url = 'ftp://host'), /x-deploy\.url: /],
    ['a whole number of images', (s) => (s['x-deploy']['keep-images'] = -1), /x-deploy\.keep-images: /],
    ['sizes with a unit, or false', (s) => (s['x-deploy']['free-disk'] = true), /x-deploy\.free-disk: /],
    [
      'sizes that are some',
      (s) => (s['x-deploy']['free-memory'] = 'much'),
      /free-memory: "much" is not a size such as 64m or 1\.5g, nor false/,
    ],
    ['hooks of known names', (s) => hooks(s, { 'pre-deplo': 'x' }), /hooks: .*"pre-deplo"/],
    [
      'hooks with a command',
      (s) => hooks(s, { 'pre-deploy': { timeout: '5s' } }),
      /hooks\.pre-deploy\.command: must be a command, a list of words, or .*there is no command/,
    ],
    [
      'hooks that end in time',
      (s) => hooks(s, { 'on-failure': { command: 'x', timeout: '2h' } }),
      /hooks\.on-failure\.timeout: must be more than 0 and at most 15m/,
    ],
    ['yes or no for park', (s) => (s['x-deploy'].park = 'maybe'), /x-deploy\.park: /],
  ];
  for (const [what, edit, expected] of rules) {
    it(`must have ${what}, and hears that alone when that alone is wrong (exit 78)`, async () => {
      const error = await refused({ 'compose.yaml': edited(edit) });
      assert.equal(error.exit, EXIT.config);
      assert.match(error.text, expected);
      assert.deepEqual(error.evidence, []);
    });
  }

  it("may give a hook as a line, as words, or with its time; $$ is Compose's way to write $", async () => {
    const text = edited((shape) => {
      shape['x-deploy'].hooks = {
        'pre-deploy': 'echo "$$DEPLOY_RELEASE"',
        'post-admit': ['check', '--now', '$$x'],
        'post-deploy': { command: 'notify', timeout: '5m' },
      };
    });
    const { settings } = await load({ 'compose.yaml': text });
    assert.deepEqual(settings.hooks, {
      'pre-deploy': { command: 'echo "$DEPLOY_RELEASE"', timeout: 60_000 },
      'post-admit': { command: ['check', '--now', '$x'], timeout: 60_000 },
      'post-deploy': { command: 'notify', timeout: 300_000 },
    });
  });

  it('hears all its problems in one error', async () => {
    const text = edited((shape) => {
      for (const [, edit] of rules.slice(3)) edit(shape);
    });
    const { text: said, evidence } = await refused({ 'compose.yaml': text });
    assert.equal(evidence.length, rules.length - 3, said);
    for (const [, , expected] of rules.slice(3)) assert.match(said, expected);
  });

  it('takes the image that `docker compose up` would use: environment, then .env, then the default', async () => {
    const files = { 'compose.yaml': GOOD, '.env': 'TASUKI_IMAGE=app:v7\n' };
    assert.equal((await load(files)).image, 'app:v7');
    assert.equal((await load(files, { env: { TASUKI_IMAGE: 'app:v9' } })).image, 'app:v9');
    assert.equal((await load(files, { env: { TASUKI_IMAGE: '' } })).image, 'app:v1');
  });

  it('knows every image that a service may be made of, whatever wins now', async () => {
    const own = GOOD.replace('redis:8.0', '${REDIS_IMAGE:-redis:8.0}');
    const files = { 'compose.yaml': own, '.env': 'TASUKI_IMAGE=app:v7\nPROXY=h2o\n' };
    const { named } = await load(files, { env: { TASUKI_IMAGE: 'app:v9', REDIS_IMAGE: 'redis:9' } });
    const services = ['debian:trixie-slim', 'node:26-trixie-slim', 'nginx:1.30', 'mysql:9.7', 'redis:8.0'];
    const others = ['app:v1', 'app:v7', 'app:v9', 'redis:9', 'tasuki-h2o:2.2'];
    assert.deepEqual(named.toSorted(), [...services, ...others].toSorted());
  });

  it('is looked for under the four names of Compose, the first of them first', async () => {
    const names = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];
    for (const name of names)
      assert.match((await load({ [name]: GOOD })).files[0] ?? '', new RegExp(`/${name}$`));
    const all = Object.fromEntries(names.map((name) => [name, GOOD]));
    assert.match((await load(all)).files[0] ?? '', /\/compose\.yaml$/);
    assert.equal((await refused({})).code, 'NO_COMPOSE_FILE');
  });

  it('of several files (-f) is what the later ones make of the earlier; its folder is that of the first', async () => {
    const cwd = await folder({ 'base.yaml': GOOD });
    await mkdir(join(cwd, 'more'));
    const more =
      'name: other\nservices:\n  app: { image: "${TASUKI_IMAGE:-other:v1}" }\nx-deploy: { park: false }\n';
    await writeFile(join(cwd, 'more/over.yaml'), more);
    const config = await loadConfig({ files: ['base.yaml', 'more/over.yaml'], cwd, env: {} });
    assert.equal(config.image, 'other:v1');
    assert.equal(config.project, 'other');
    assert.equal(config.settings.park, false);
    assert.equal(config.directory, cwd);
    assert.equal(config.envFile, join(cwd, '.env'));
  });

  const override = 'services: { app: { environment: { FEATURE: "on" }, volumes: ["./data:/data"] } }\n';
  it('keeps the variables and volumes that an override does not name, as Compose does', async () => {
    await load({ 'compose.yaml': GOOD, 'compose.override.yaml': override });
  });

  it('has one clear error for a file that is no Compose file', async () => {
    for (const text of ['', 'services: [', '- a\n', 'services: 3\n', '"just words"\n']) {
      const error = await refused({ 'compose.yaml': text });
      assert.equal(error.exit, EXIT.config, text);
      assert.equal(error.code, 'COMPOSE_FILE_INVALID', text);
      assert.match(error.next, /docker compose -f \S+ config/);
    }
    assert.equal((await refused({}, { files: ['absent.yaml'] })).code, 'FILE_UNREADABLE');
  });

  /** The project's name by `docker compose config`; null where Compose refuses. */
  async function byCompose(cwd: string, env: Record<string, string>): Promise<string | null> {
    const { PATH = '', HOME = '' } = process.env;
    const options = { cwd, env: { PATH, HOME, ...env }, extendEnv: false, reject: false, timeout: 30_000 };
    const { exitCode, stdout } = await execa('docker', ['compose', 'config', '--format', 'json'], options);
    return exitCode === 0 ? (JSON.parse(stdout) as { name: string }).name : null;
  }
  const names: { folder: string; name?: string; dot?: string; env?: Record<string, string> }[] = [
    ...['plain', '_Foo', '--x-', 'Über App', 'my.app', 'A', '123', '日本', '__', 'a b_c-d', '.hidden'].map(
      (odd) => ({ folder: odd }),
    ),
    { folder: 'named', name: 'shop' },
    { folder: 'named-env', name: 'shop', env: { COMPOSE_PROJECT_NAME: 'fromenv' } },
    { folder: 'named-dot', name: 'shop', dot: 'COMPOSE_PROJECT_NAME=fromdot\n' },
    { folder: 'both', dot: 'COMPOSE_PROJECT_NAME=dot\n', env: { COMPOSE_PROJECT_NAME: 'env' } },
    { folder: 'empty-env', name: 'shop', env: { COMPOSE_PROJECT_NAME: '' } },
    { folder: 'bad-env', env: { COMPOSE_PROJECT_NAME: 'My App' } },
    { folder: 'default-in-name', name: '${SHOP:-shop}' },
    { folder: 'variable-in-name', name: '${SHOP}', env: { SHOP: 'other' } },
    { folder: 'odd-name', name: '"My Shop"' },
  ];
  for (const { folder: odd, name, dot, env = {} } of names) {
    const given = JSON.stringify({ folder: odd, name, dot, ...env });
    it(`has the name that Compose gives it: ${given}`, async () => {
      const text = name === undefined ? GOOD : `name: ${name}\n${GOOD}`;
      const cwd = await folder({ 'compose.yaml': text, '.env': dot ?? '' }, odd);
      const ours = await loadConfig({ files: [], cwd, env }).then(
        ({ project }) => project,
        () => null,
      );
      assert.equal(ours, await byCompose(cwd, env));
    });
  }

  it('that was given a bad name with -p is a mistake of the command line (exit 2)', async () => {
    const error = await refused({ 'compose.yaml': GOOD }, { project: 'No Good' });
    assert.equal(error.exit, EXIT.usage);
    assert.equal((await load({ 'compose.yaml': `name: x\n${GOOD}` }, { project: 'y' })).project, 'y');
  });
});
