import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { config } from '../../deployer/commands/config.ts';
import type { Globals } from '../../deployer/run.ts';
import { deploySchema } from '../../deployer/schema.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('`deploy config`', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'tasuki-config-command-'));
    await writeFile(join(cwd, 'compose.yaml'), await readFile(join(ROOT, 'compose.yaml')));
    const own = "x-deploy: { url: 'http://localhost:8080', timeout: 2m, hooks: { pre-deploy: backup } }\n";
    await writeFile(join(cwd, 'compose.override.yaml'), own);
    await writeFile(join(cwd, '.env'), 'TASUKI_IMAGE=app:v7\n');
  });
  after(async () => {
    await rm(cwd, { recursive: true, force: true });
  });

  async function printed(json: boolean): Promise<string> {
    const lines: string[] = [];
    const globals: Globals = {
      files: [],
      project: 'shop',
      cwd,
      env: { TASUKI_STATE_DIR: join(cwd, 'state') },
      hooks: true,
      dryRun: false,
      yes: false,
      json,
      emit: () => {},
      print: (line) => lines.push(line),
      onInterrupt: () => {},
    };
    assert.equal(await config(globals), 0);
    return lines.join('\n');
  }

  it('tells every setting with its value, and whether it is the default', async () => {
    const { v, type, settings, ...rest } = JSON.parse(await printed(true)) as Record<string, unknown> & {
      settings: Record<string, { value: unknown; default: boolean }>;
    };
    assert.deepEqual([v, type], [1, 'config']);
    assert.deepEqual(rest, {
      project: 'shop',
      files: [join(cwd, 'compose.yaml'), join(cwd, 'compose.override.yaml')],
      directory: cwd,
      envFile: join(cwd, '.env'),
      image: 'app:v7',
      scale: 1,
      url: 'http://localhost:8080',
      state: join(cwd, 'state/shop'),
    });
    assert.deepEqual(Object.keys(settings), Object.keys(deploySchema.shape));
    assert.deepEqual(settings.timeout, { value: 120_000, default: false });
    assert.deepEqual(settings.park, { value: true, default: true });
    assert.deepEqual(settings.hooks?.value, { 'pre-deploy': { command: 'backup', timeout: 60_000 } });
  });

  it('is readable for people', async () => {
    const text = await printed(false);
    assert.match(text, /^image +app:v7$/m);
    assert.match(text, /^ {2}timeout +2 min 0 s$/m);
    assert.match(text, /^ {2}park +true {2}\(default\)$/m);
    assert.match(text, /^ {2}hooks +pre-deploy: "backup", at most 1 min 0 s$/m);
  });
});
