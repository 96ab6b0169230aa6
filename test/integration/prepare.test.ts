import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { State } from '../../deployer/contract.ts';
import { eventually, freePort } from '../support/containers.ts';
import { Control } from '../support/instance.ts';

const LIBRARY = join(import.meta.dirname, '../../app/handover/index.ts');

describe('what serve() prepares', { timeout: 60_000 }, () => {
  let dir: string;
  let running: ChildProcess | undefined;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-prepare-'));
  });
  afterEach(async () => {
    if (running && running.exitCode === null) {
      running.kill('SIGKILL');
      await once(running, 'exit');
    }
    await rm(dir, { recursive: true, force: true });
  });

  /** An instance with two children whose `prepare` is this code; answers the way to its state. */
  async function start(prepare: string): Promise<() => Promise<State>> {
    const [script, socket] = [join(dir, 'app.ts'), join(dir, 'control.sock')];
    const text = `import { appendFileSync, existsSync } from 'node:fs';
      import { exitOnFailure, serve } from '${LIBRARY}';
      const options = { prepare: async () => { ${prepare} } };
      serve((req, res) => res.end('ok'), options).catch(exitOnFailure);`;
    await writeFile(script, text);
    const env = { PORT: String(await freePort()), HOST: '127.0.0.1', CONTROL_SOCKET: socket, RUN_DIR: dir };
    running = spawn(process.execPath, [script], {
      env: { ...process.env, WEB_CONCURRENCY: '2', ...env },
      stdio: 'ignore',
    });
    return async () => {
      const control = await Control.open(socket);
      try {
        return (await control.ask('state')) as State;
      } finally {
        control.close();
      }
    };
  }

  it('is done once, in the supervisor, and the instance takes no request before', async () => {
    const [go, log] = [join(dir, 'go'), join(dir, 'log')];
    const state = await start(`appendFileSync('${log}', process.pid + ' ');
      while (!existsSync('${go}')) await new Promise((resolve) => setTimeout(resolve, 10));`);
    await eventually('both children are ready', async () => {
      const { children } = await state();
      return children.length === 2 && children.every(({ ready }) => ready);
    });
    assert.equal((await state()).phase, 'booting');
    await writeFile(go, '');
    await eventually('it serves', async () => (await state()).phase === 'serving');
    assert.equal(await readFile(log, 'utf8'), `${running?.pid} `);
  });

  it('lets it serve at once when it is done', async () => {
    const state = await start('');
    await eventually('it serves', async () => (await state()).phase === 'serving');
  });

  it('ends the instance when it fails', async () => {
    await start(`throw new Error('not prepared');`);
    const [code] = (await once(running!, 'exit')) as [number];
    assert.equal(code, 1);
  });
});
