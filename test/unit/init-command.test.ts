import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { proxyFiles } from '../../deployer/init/files.ts';
import { lookAt } from '../../deployer/init/survey.ts';
import { overrideText } from '../../deployer/init/text.ts';
import { parseYaml } from '../../deployer/yaml.ts';
import type { ComposeFile } from '../../deployer/config.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'deployer/main.ts');
const WEB = "services:\n  web: # ours\n    build: .\n    ports: ['80:3000']\n";

describe('deploy init', () => {
  let base: string;
  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'tasuki-init-'));
  });
  after(async () => await rm(base, { recursive: true, force: true }));

  async function folder(files: Record<string, string>): Promise<string> {
    const path = await mkdtemp(join(base, 'shop-'));
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), text);
    }
    return path;
  }
  async function run(cwd: string, words: string[] = [], env: Record<string, string> = {}) {
    return await execa(process.execPath, [MAIN, 'init', ...words], { cwd, env, reject: false, all: true });
  }
  const text = async (cwd: string, name: string): Promise<string> => await readFile(join(cwd, name), 'utf8');

  it('adds files and changes none, and the project can be deployed', async () => {
    const cwd = await folder({ 'compose.yaml': WEB, '.env': 'A=1\n' });
    const { all, exitCode } = await run(cwd);
    assert.equal(exitCode, 0, all);
    assert.match(all, /docker compose up -d --build[^]*deploy --build/);
    assert.equal(await text(cwd, 'compose.yaml'), WEB);
    assert.equal(await text(cwd, '.env'), 'A=1\n');
    assert.deepEqual((await readdir(cwd)).toSorted(), [
      '.env',
      'compose.override.yaml',
      'compose.yaml',
      'proxy',
    ]);
    assert.ok((await stat(join(cwd, 'proxy/nginx/start.sh'))).mode & 0o100, 'the proxy runs it');
    const config = await execa(process.execPath, [MAIN, 'config', '--json'], { cwd });
    assert.match(config.stdout, /"strategy":\{"value":"upstream"/);
  });

  it('says that it is done when it is, puts back what is missing, and leaves what was changed', async () => {
    const cwd = await folder({ 'compose.yaml': WEB });
    await run(cwd);
    const mine = join(cwd, 'proxy/nginx/templates/http/40-limits.conf.template');
    await writeFile(mine, '# mine\n');
    const gone = join(cwd, 'proxy/common/watch.sh');
    await rm(gone);
    const was = await text(cwd, 'compose.override.yaml');
    const { all, exitCode } = await run(cwd, ['--health', '/other']);
    assert.equal(exitCode, 0);
    assert.match(all, /done already[^]*put back: proxy\/common\/watch\.sh[^]*left as it is.*40-limits/);
    assert.equal(await text(cwd, 'compose.override.yaml'), was);
    assert.equal(await readFile(mine, 'utf8'), '# mine\n');
    assert.match(await readFile(gone, 'utf8'), /^#!/);
  });

  it('goes on where a run was killed', async () => {
    const cwd = await folder({ 'compose.yaml': WEB });
    await run(cwd);
    await rm(join(cwd, 'compose.override.yaml'));
    const { all, exitCode } = await run(cwd);
    assert.equal(exitCode, 0, all);
    assert.match(all, /0 files/);
    assert.match(await text(cwd, 'compose.override.yaml'), /x-deploy/);
  });

  it('stands beside an override that is there, by a line in .env', async () => {
    const override = 'services: { web: { environment: { A: 1 } } }\n';
    const cwd = await folder({ 'compose.yaml': WEB, 'compose.override.yaml': override });
    assert.equal((await run(cwd)).exitCode, 0);
    assert.equal(await text(cwd, 'compose.override.yaml'), override);
    assert.equal(
      await text(cwd, '.env'),
      'COMPOSE_FILE=compose.yaml:compose.override.yaml:compose.tasuki.yaml\n',
    );
    assert.match((await run(cwd)).all, /done already/);
  });

  it('writes nothing when it is asked what it would write, and nothing when something is in the way', async () => {
    const cwd = await folder({ 'compose.yaml': WEB });
    const dry = await run(cwd, ['--dry-run']);
    assert.equal(dry.exitCode, 0);
    assert.match(dry.all, /nothing was[^]*aliases: \['\$\{TASUKI_RELEASE:-initial\}'\] # /);
    assert.deepEqual(await readdir(cwd), ['compose.yaml']);

    const own = { 'proxy/nginx/nginx.conf': '# mine', 'proxy/common/watch.sh': '# mine too' };
    const taken = await folder({ 'compose.yaml': WEB.replace("'80:3000'", ''), ...own });
    const { all, exitCode } = await run(taken);
    assert.equal(exitCode, 78);
    assert.match(all, /2 things are in the way[^]*names no port[^]*watch\.sh is there already/);
    assert.deepEqual((await readdir(taken)).toSorted(), ['compose.yaml', 'proxy']);
  });

  it('refuses files that Compose would not find by itself', async () => {
    const cwd = await folder({ 'compose.yaml': WEB });
    const named = await run(cwd, ['-f', 'compose.yaml']);
    assert.equal(named.exitCode, 2);
    assert.match(named.all, /COMPOSE_FILE=compose\.yaml/);
    assert.equal((await run(cwd, [], { COMPOSE_FILE: 'compose.yaml' })).exitCode, 78);
    assert.deepEqual(await readdir(cwd), ['compose.yaml']);
  });

  it('is told the service, though a deploy has a flag of that name too', async () => {
    const cwd = await folder({ 'compose.yaml': `${WEB}  api:\n    build: .\n    ports: ['81:4000']\n` });
    assert.equal((await run(cwd)).exitCode, 78);
    assert.match((await run(cwd, ['--service', 'api', '--dry-run'])).all, /APP_ADDRESS: api:4000/);
  });

  it('says what it did as one line for scripts', async () => {
    const cwd = await folder({ 'compose.yaml': WEB });
    const said = JSON.parse((await run(cwd, ['--json'])).stdout) as { service: string; written: string[] };
    assert.equal(said.service, 'web');
    assert.equal(said.written.at(-1), 'compose.override.yaml');
  });
});

describe('the proxy that deploy init writes', () => {
  interface Proxy {
    environment: Record<string, unknown>;
    extends: { file: string };
    tmpfs: string[];
  }
  const documents = [parseYaml(WEB) as ComposeFile];
  const { survey } = lookAt(documents, {}, { project: 'shop', values: {} });
  const proxyOf = (yaml: string) => (parseYaml(yaml) as { services: { proxy: Proxy } }).services.proxy;
  const written = proxyOf(overrideText(survey!, 'compose.yaml'));

  it('has every file that its service names, and a value for every variable, as in compose.yaml', async () => {
    const files = await proxyFiles();
    const service = files.find(({ path }) => `./${path}` === written.extends.file);
    assert.ok(service);
    const mounts = [...service.text.matchAll(/^ *- (\.\.?\/[^:]+):/gm)].map(([, path]) => path!);
    assert.ok(mounts.length > 2);
    for (const mount of mounts) {
      const path = join(dirname(service.path), mount);
      assert.ok(
        files.some((one) => one.path === path || one.path.startsWith(`${path}/`)),
        path,
      );
    }
    const set = { ...proxyOf(service.text).environment, ...written.environment };
    const used = files.flatMap((one) => [...one.text.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name]) => name!));
    assert.ok(used.length > 10);
    for (const name of used) assert.ok(name in set || name === 'BASH_SOURCE', name);
    const own = proxyOf(await readFile(join(ROOT, 'compose.yaml'), 'utf8'));
    const names = new Set([...Object.keys(own.environment), 'STRATEGY']);
    assert.deepEqual(new Set(Object.keys(written.environment)), names);
    const folders = (tmpfs: string[]): string[] => tmpfs.map((one) => one.split(':')[0]!);
    assert.ok(folders(own.tmpfs).includes(folders(written.tmpfs)[0]!));
  });

  it('is in the package, all of it', async () => {
    const words = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const { stdout } = await execa('npm', words, { cwd: ROOT, timeout: 60_000 });
    const listed = JSON.stringify(JSON.parse(stdout));
    const files = await proxyFiles();
    assert.ok(files.length > 10);
    for (const { path } of files) assert.ok(listed.includes(`"${path}"`), path);
  });
});
