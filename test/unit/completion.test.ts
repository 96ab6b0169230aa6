import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { appendHistory, type HistoryEntry } from '../../deployer/store/history.ts';
import { stateFolder } from '../../deployer/store/paths.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'deployer/main.ts');

describe('the completion of a shell', () => {
  let cwd: string;
  let env: Record<string, string>;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'tasuki-completion-'));
    await writeFile(join(cwd, 'compose.yaml'), await readFile(join(ROOT, 'compose.yaml')));
    env = { TASUKI_STATE_DIR: join(cwd, 'state'), COMPOSE_PROJECT_NAME: 'shop' };
    const folder = await stateFolder(env, 'shop');
    const entry = { at: '', command: 'deploy', image: 'app:v1', outcome: 'done', by: 'me' };
    for (const [release, from] of [
      ['r1', 'initial'],
      ['r2', 'r1'],
    ])
      await appendHistory(folder, { ...entry, release, from } as HistoryEntry);
  });
  after(async () => {
    await rm(cwd, { recursive: true, force: true });
  });

  const script = async (shell: string): Promise<string> =>
    (await execa(process.execPath, [MAIN, 'completion', shell], { cwd, env })).stdout;

  /** What bash offers when Tab is pressed at the end of the last word. */
  async function offers(...typed: string[]): Promise<string[]> {
    const tab = `
      deploy() { "$NODE" "$MAIN" "$@"; }
      eval "$SCRIPT"
      [[ $(complete -p deploy) == *"-F _deploy deploy" ]] || exit 3
      COMP_WORDS=(deploy "$@") COMP_CWORD=$#
      _deploy
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const more = { NODE: process.execPath, MAIN, SCRIPT: await script('bash') };
    const { stdout } = await execa('bash', ['--norc', '-c', tab, 'bash', ...typed], {
      cwd,
      env: { ...env, ...more },
    });
    return stdout.split('\n').filter(Boolean);
  }

  it('offers the commands, and of them those that begin as typed', async () => {
    const all = await offers('');
    const { stdout: help } = await execa(process.execPath, [MAIN, '--help'], { cwd, env });
    const commands = help.slice(help.indexOf('Commands:')).matchAll(/^ {2}(\w+)/gm);
    for (const [, name = ''] of commands)
      if (name !== 'deploy') assert.ok(all.includes(name), `${name} in ${all.join(' ')}`);
    assert.ok(all.length > 5);
    assert.deepEqual(await offers('ro'), ['rollback']);
    assert.deepEqual(await offers('help', 'st'), ['status']);
    assert.deepEqual(await offers('completion', ''), ['bash', 'zsh', 'fish']);
  });

  it('offers the flags of all commands, and those of the one that is typed', async () => {
    assert.deepEqual(await offers('--no-h'), ['--no-hooks']);
    assert.deepEqual(await offers('logs', '--f'), ['--file', '--for', '--follow']);
    assert.deepEqual(await offers('status', '--foll'), []);
  });

  it('offers the releases of the history, the newest first, where a release is wanted', async () => {
    for (const command of ['rollback', 'logs', 'history'])
      assert.deepEqual(await offers(command, ''), ['r2', 'r1', 'initial']);
    assert.deepEqual(await offers('rollback', 'r1'), ['r1']);
    assert.deepEqual(await offers('status', 'r'), []);
  });

  it('leaves the value of a flag to the shell, which completes file names', async () => {
    assert.deepEqual(await offers('-f', 'comp'), []);
    assert.deepEqual(await offers('--image', ''), []);
  });

  it('has a script that can be had without a project', async () => {
    const { all, exitCode } = await execa(process.execPath, [MAIN, 'completion', 'bash'], {
      cwd: '/',
      all: true,
    });
    assert.equal(exitCode, 0, all);
  });

  for (const shell of ['zsh', 'fish']) {
    it(`has a script that ${shell} can read`, async (t) => {
      const text = await script(shell);
      assert.match(text, /rollback/);
      const { code, exitCode, stderr } = await execa(shell, ['-n'], { input: text, reject: false });
      if (code === 'ENOENT') return t.skip(`${shell} is not installed`);
      assert.equal(exitCode, 0, stderr);
    });
  }
});
