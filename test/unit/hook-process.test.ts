import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runHook, type HookEnd, type HookRun } from '../../deployer/hooks/process.ts';

const LONG_MS = 60_000;

describe('the process of a hook', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-hook-'));
  });
  after(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  async function run(script: string, more: Partial<HookRun> = {}): Promise<HookEnd & { lines: string[] }> {
    const lines: string[] = [];
    const { PATH = '' } = process.env;
    const end = await runHook({
      words: ['sh', '-c', script],
      cwd: dir,
      env: { PATH },
      input: '',
      timeoutMs: LONG_MS,
      signal: null,
      onLine: (line) => lines.push(line),
      ...more,
    });
    return { ...end, lines };
  }

  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  /** A process that was killed is gone once somebody has waited for it. */
  async function assertGone(pid: number): Promise<void> {
    const deadline = performance.now() + 5000;
    const zombie = async (): Promise<boolean> =>
      / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
    while (alive(pid) && !(await zombie())) {
      assert.ok(performance.now() < deadline, `process ${pid} lives on`);
      await wait(20);
    }
  }
  const pidIn = (line: string | undefined): number => {
    const pid = Number(line);
    assert.ok(pid > 1, `no pid in "${line}"`);
    return pid;
  };

  it('gets its input and environment, nothing of ours beside it, and its folder', async () => {
    const env = { PATH: process.env.PATH, A: 'x y' };
    const { code, ended, lines } = await run('cat; echo "$A"; pwd; echo "[$HOME]"', { env, input: 'said\n' });
    assert.deepEqual({ code, ended }, { code: 0, ended: 'by itself' });
    assert.deepEqual(lines, ['said', 'x y', dir, '[]']);
  });

  it('has its words passed on as they are when it is a list', async () => {
    const { lines } = await run('', { words: ['printf', '%s|', 'a b', '$HOME', '*'] });
    assert.deepEqual(lines, ['a b|$HOME|*|']);
  });

  it('shows both streams as lines without colours, and cuts what has no end', async () => {
    const { lines } = await run(
      'printf "\\033[31mred\\033[0m\\n"; echo err >&2; sleep 0.1; head -c 5000 /dev/zero | tr "\\0" x',
    );
    assert.deepEqual(lines.slice(0, 2).toSorted(), ['err', 'red']);
    assert.ok(lines.slice(2).every((line) => line.length <= 2000));
  });

  it('shows a thousand lines of many and says so', async () => {
    const { lines } = await run('seq 5000');
    assert.equal(lines.length, 1001);
    assert.match(lines.at(-1) ?? '', /more than 1000 lines/);
  });

  it('gives its exit code, and the words of the shell when there is no such command', async () => {
    assert.equal((await run('exit 7')).code, 7);
    const { code, ended, lines } = await run('', { words: ['no-such-command'] });
    assert.deepEqual({ code, ended }, { code: 127, ended: 'by itself' });
    assert.match(lines.join('\n'), /no-such-command: not found/);
  });

  it('need not read what it is told', async () => {
    assert.equal((await run('exec <&-; exit 0', { input: 'x'.repeat(1_000_000) })).code, 0);
  });

  it('takes its children along at its deadline, also those that ignore SIGTERM', async () => {
    const script = `(trap "" TERM; while :; do sleep 1; done) & echo $!; trap "" TERM; while :; do sleep 1; done`;
    const { ended, lines } = await run(script, { timeoutMs: 1500 });
    assert.equal(ended, 'deadline');
    await assertGone(pidIn(lines[0]));
  });

  it('may end in its own way when its deadline comes', async () => {
    const { ended, lines } = await run('trap "echo tidy; exit 3" TERM; while :; do sleep 0.05; done', {
      timeoutMs: 1500,
    });
    assert.equal(ended, 'deadline');
    assert.equal(lines.at(-1), 'tidy');
  });

  it('is not waited for by what it left in the background, which ends with it', async () => {
    const { code, ended, lines } = await run('sleep 300 & echo $!');
    assert.deepEqual({ code, ended }, { code: 0, ended: 'by itself' });
    await assertGone(pidIn(lines[0]));
  });

  it('is not waited for when a process that left the group holds its pipes', async () => {
    const { code, ended, lines } = await run('setsid sleep 20 & echo $!');
    assert.deepEqual({ code, ended }, { code: 0, ended: 'by itself' });
    process.kill(pidIn(lines[0]), 'SIGKILL');
  });

  it('ends with the signal, before and while it runs', async () => {
    assert.equal((await run('sleep 300', { signal: AbortSignal.abort() })).ended, 'signal');
    const stop = new AbortController();
    const heard: string[] = [];
    const onLine = (line: string): void => {
      heard.push(line);
      stop.abort();
    };
    assert.equal((await run('echo $$; sleep 300', { signal: stop.signal, onLine })).ended, 'signal');
    await assertGone(pidIn(heard[0]));
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`does not outlive the one that runs it when that is ended with ${signal}`, async () => {
      const module = fileURLToPath(new URL('../../deployer/hooks/process.ts', import.meta.url));
      const script = `(trap "" TERM; while :; do sleep 1; done) & echo $! $$; trap "" TERM; while :; do sleep 1; done`;
      const code = `import { runHook } from ${JSON.stringify(module)};
        await runHook({ words: ['sh', '-c', ${JSON.stringify(script)}], cwd: '/', env: process.env, input: '',
          timeoutMs: ${LONG_MS}, signal: null, onLine: (line) => console.log(line) });`;
      const runner = execa(process.execPath, ['--input-type=module', '-e', code], {
        reject: false,
        timeout: LONG_MS,
      });
      let said = '';
      for await (const line of runner) {
        said = line;
        runner.kill(signal);
      }
      await runner;
      const pids = said.split(' ').map(pidIn);
      assert.equal(pids.length, 2);
      for (const pid of pids) await assertGone(pid);
    });
  }
});
