import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/containers.ts';

const ROOT = join(import.meta.dirname, '../..');
const RUNS = 300;
const PIPE_BYTES = 65_536;

describe('what is printed', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'tasuki-output-'));
    await copyFile(join(ROOT, 'compose.yaml'), join(cwd, 'compose.yaml'));
    await mkdir(join(cwd, 'state/shop'), { recursive: true });
    const run = { version: 1, at: '2026-11-21T21:00:00.000Z', command: 'deploy', image: 'app:v2', by: 'a@b' };
    const lines = Array.from({ length: RUNS }, (_, n) =>
      JSON.stringify({ ...run, outcome: 'done', ms: 1, release: `r${n}`, error: 'x'.repeat(1000) }),
    );
    await writeFile(join(cwd, 'state/shop/history.jsonl'), `${lines.join('\n')}\n`);
  });
  after(async () => await rm(cwd, { recursive: true, force: true }));

  const history = () =>
    spawn(process.execPath, [join(ROOT, 'deployer/main.ts'), 'history', '--json', '-p', 'shop'], {
      cwd,
      env: { ...process.env, TASUKI_STATE_DIR: join(cwd, 'state') },
    });

  let last = 0;
  /** Whether a process has ended, or has written as much as a pipe holds and nothing since it was last looked at. */
  async function hasFilled(pid: number): Promise<boolean> {
    const io = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => null);
    const written = Number(/^wchar: (\d+)/m.exec(io ?? '')?.[1]);
    const still = io === null || (written >= PIPE_BYTES && written === last);
    last = written;
    return still;
  }

  it('is all there for a reader who takes his time', async () => {
    const command = history();
    const closed = once(command, 'close');
    // More than a pipe holds; nothing is read before the command has printed what goes into it, and would end.
    await eventually('the pipe is full', async () => await hasFilled(command.pid ?? 0));
    let text = '';
    command.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    assert.deepEqual(await closed, [0, null]);
    const lines = text.trim().split('\n');
    assert.equal(lines.length, RUNS);
    assert.equal((JSON.parse(lines.at(-1) ?? '') as { release: string }).release, `r${RUNS - 1}`);
  });

  it('harms nothing when its reader has gone', async () => {
    const command = history();
    command.stdout.destroy();
    let said = '';
    command.stderr.setEncoding('utf8').on('data', (part: string) => (said += part));
    assert.deepEqual(await once(command, 'close'), [0, null]);
    assert.equal(said, '');
  });
});
