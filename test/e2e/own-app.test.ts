import assert from 'node:assert/strict';
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { dump } from 'js-yaml';
import { docker } from '../support/containers.ts';
import { Project } from '../support/project.ts';
import { parseYaml } from '../../deployer/yaml.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCKERFILE = `FROM node:26-trixie-slim
WORKDIR /srv
COPY package.json tasuki.tgz ./
RUN npm install --ignore-scripts --no-audit --no-fund
COPY *.js ./
USER node
CMD ["node", "server.js"]
`;
const PACKAGE = { type: 'module', dependencies: { express: '5.3.0', tasuki: 'file:./tasuki.tgz' } };

interface Compose {
  services: Record<string, { environment?: Record<string, unknown>; depends_on?: unknown }>;
  volumes: Record<string, unknown>;
  'x-deploy': object;
}

/** compose.yaml as the README says to change it: no database, and the control command of the package. */
function ownCompose(text: string): string {
  const compose = parseYaml(text) as Compose;
  for (const name of ['worker', 'mysql', 'redis', 'cache']) {
    delete compose.services[name];
    delete compose.volumes[name];
  }
  const app = compose.services.app;
  assert.ok(app);
  app.depends_on = ['pod'];
  compose['x-deploy'] = { ctl: ['node', 'node_modules/tasuki/dist/handover/ctl.js'] };
  return dump(compose);
}

describe('an Express app of one’s own, made fit by the seven lines of docs/contract.md', () => {
  let source: string;
  let project: Project;

  before(async () => {
    source = await mkdtemp(join(tmpdir(), 'tasuki-own-'));
    const { stdout } = await execa(
      'npm',
      ['pack', '--ignore-scripts', '--silent', '--pack-destination', source],
      { cwd: ROOT, timeout: 60_000 },
    );
    await copyFile(join(source, stdout.trim()), join(source, 'tasuki.tgz'));
    const page = await readFile(join(ROOT, 'docs/contract.md'), 'utf8');
    const lines = /seven lines[^]*?```js\n([^]*?)```/.exec(page)?.[1] ?? '';
    assert.equal(lines.trim().split('\n').length, 7, 'the page must show seven lines');
    await writeFile(join(source, 'server.js'), lines);
    await writeFile(join(source, 'Dockerfile'), DOCKERFILE);
    await writeFile(join(source, 'package.json'), JSON.stringify(PACKAGE));
    await docker(['build', '-q', '-t', 'tasuki-own:v1', source], 240_000);
    project = await Project.up('tasuki-own:v1', { edit: ownCompose });
    await cp(source, project.folder, { recursive: true });
    const git = ['-c', 'user.name=test', '-c', 'user.email=test@example.test'];
    await execa('git', ['init', '-q'], { cwd: project.folder });
    await execa('git', ['add', 'server.js', 'Dockerfile', 'package.json', 'compose.yaml'], {
      cwd: project.folder,
    });
    await execa('git', [...git, 'commit', '-qm', 'first'], { cwd: project.folder });
  });
  after(async () => {
    await project?.[Symbol.asyncDispose]();
    await rm(source, { recursive: true, force: true });
  });

  it('is built from its git revision, handed over and taken back without a failed probe', async () => {
    const first = await project.answering();
    const deploy = await project.deployOk('--build', '--json');
    const second = await project.answering();
    assert.notEqual(second, first);
    const end = deploy.events.find((event) => event.type === 'end');
    assert.ok(end?.type === 'end' && end.probe);
    assert.ok(end.probe.sent > 0);
    assert.equal(end.probe.failed, 0);
    assert.match(end.image, /^tasuki-own:[0-9a-f]{12}$/);
    await project.deployOk('rollback');
    assert.equal(await project.answering(), first);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('has an image of its own for each build of a revision, so that the one before can be gone back to', async () => {
    const page = async (): Promise<string> => await (await fetch(`${project.url}/`)).text();
    const server = join(project.folder, 'server.js');
    const commit = await readFile(server, 'utf8');
    assert.equal(await page(), 'hello');
    await writeFile(join(project.folder, '.git/info/exclude'), 'greeting.js\n');
    await writeFile(join(project.folder, 'greeting.js'), "export default 'first';\n");
    await writeFile(
      server,
      commit.replace("'hello'", 'greeting').replace(/^/, "import greeting from './greeting.js';\n"),
    );
    const git = ['-c', 'user.name=test', '-c', 'user.email=test@example.test'];
    await execa('git', [...git, 'commit', '-qam', 'second'], { cwd: project.folder });
    await project.deployOk('--build');
    assert.equal(await page(), 'first');
    await writeFile(join(project.folder, 'greeting.js'), "export default 'second';\n"); // git does not know it
    await project.deployOk('--build');
    assert.equal(await page(), 'second');
    await project.deployOk('rollback');
    assert.equal(await page(), 'first');
    assert.deepEqual(await project.upChanges(), []);
  });
});
