import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig, type ProjectOptions } from '../../deployer/config.ts';

const GOOD = await readFile(fileURLToPath(new URL('../../compose.yaml', import.meta.url)), 'utf8');

describe('the files of a project', () => {
  it('are those of COMPOSE_FILE, in the environment or in .env, as Compose has it', async (t) => {
    const cwd = await mkdtemp(join(tmpdir(), 'tasuki-files-'));
    t.after(async () => await rm(cwd, { recursive: true, force: true }));
    await writeFile(join(cwd, 'compose.yaml'), GOOD);
    await writeFile(join(cwd, 'small.yaml'), 'x-deploy: { park: false }\n');
    await writeFile(join(cwd, '.env'), 'COMPOSE_FILE=compose.yaml:small.yaml\n');
    const load = async (more: Partial<ProjectOptions> = {}) =>
      await loadConfig({ files: [], cwd, env: {}, ...more });

    const named = await load();
    assert.equal(named.settings.park, false);
    assert.deepEqual(named.settings.workers, ['worker'], 'what a later file does not name stays');
    assert.equal(named.envFile, join(cwd, '.env'));
    const env = { COMPOSE_FILE: 'small.yaml;compose.yaml', COMPOSE_PATH_SEPARATOR: ';' };
    assert.deepEqual((await load({ env })).files, [join(cwd, 'small.yaml'), join(cwd, 'compose.yaml')]);
    const asked = await load({ files: ['compose.yaml'] });
    assert.equal(asked.settings.park, true, 'those after -f come first');
  });

  it('are compose.yaml and its override, but not when files were named', async (t) => {
    const cwd = await mkdtemp(join(tmpdir(), 'tasuki-files-'));
    t.after(async () => await rm(cwd, { recursive: true, force: true }));
    await writeFile(join(cwd, 'compose.yaml'), GOOD);
    await writeFile(join(cwd, 'compose.override.yaml'), 'x-deploy: { park: false }\n');
    assert.equal((await loadConfig({ files: [], cwd, env: {} })).settings.park, false);
    assert.equal((await loadConfig({ files: ['compose.yaml'], cwd, env: {} })).settings.park, true);
  });

  it('say how its image is built: by the Dockerfile here, or as only Compose can', async (t) => {
    const cwd = await mkdtemp(join(tmpdir(), 'tasuki-files-'));
    t.after(async () => await rm(cwd, { recursive: true, force: true }));
    const built = async (build: string): Promise<boolean> => {
      await writeFile(join(cwd, 'compose.yaml'), GOOD.replace(/^ {4}build: \.\n/m, build));
      return (await loadConfig({ files: [], cwd, env: {} })).isBuiltByCompose;
    };
    assert.equal(await built('    build: .\n'), false);
    assert.equal(await built(''), false, 'a Dockerfile here needs no build:');
    assert.equal(await built('    build: ./web\n'), true);
    assert.equal(await built('    build: { context: ., args: { A: 1 } }\n'), true);
  });
});
