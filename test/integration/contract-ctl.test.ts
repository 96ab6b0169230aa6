import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { DEFAULT_CONTROL_SOCKET } from '../../app/handover/index.ts';
import { INITIAL_RELEASE } from '../../app/handover/record.ts';
import * as deployer from '../../deployer/contract.ts';
import { eventually, freePort } from '../support/containers.ts';
import { HostInstance } from '../support/instance.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CTL = join(ROOT, 'app/ctl.ts');
const page = await readFile(join(ROOT, 'docs/contract.md'), 'utf8');

interface Reply {
  id: number | null;
  ok: boolean;
  result?: { phase?: string };
}

describe('docs/contract.md, names and the control command', { timeout: 120_000 }, () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-ctl-'));
  });
  after(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  /** `ctl session`, its replies in order; `ask` writes a line. */
  function session(socket: string) {
    const child = execa(process.execPath, [CTL, 'session'], {
      env: { CONTROL_SOCKET: socket },
      reject: false,
      timeout: 60_000,
      buffer: false,
    });
    const replies: Reply[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => replies.push(JSON.parse(line) as Reply));
    const ask = (request: object): boolean => child.stdin.write(`${JSON.stringify(request)}\n`);
    const reply = (id: number): Promise<Reply> =>
      eventually(`reply ${id}`, async () => replies.find((one) => one.id === id), 30_000);
    return { child, ask, reply };
  }

  it('name the same folder, record, socket and first release as both sides', async () => {
    assert.match(page, new RegExp(`\`${deployer.RUN_DIR}\` \\(\`RUN_DIR\`\\)`));
    assert.match(page, new RegExp(`\`${deployer.RUN_DIR}/${deployer.RECORD_FILE}\``));
    assert.match(page, new RegExp(`\`CONTROL_SOCKET\`, default \`${DEFAULT_CONTROL_SOCKET}\``));
    assert.ok((await readFile(CTL, 'utf8')).includes(`'${DEFAULT_CONTROL_SOCKET}'`));
    assert.match(page, new RegExp(`then release \`${INITIAL_RELEASE}\``));
    assert.equal(deployer.INITIAL_RELEASE, INITIAL_RELEASE);
  });

  it('describe a session that waits for the instance, and gives back what it borrowed when it ends', async () => {
    const port = await freePort();
    await using r1 = new HostInstance(dir, port, 'r1');
    await r1.until('serving');
    const socket = join(dir, 'late.sock');
    const { child, ask, reply } = session(socket);
    ask({ id: 1, do: 'state' }); // nobody listens yet
    await using r2 = new HostInstance(dir, port, 'r2', { CONTROL_SOCKET: socket });
    assert.equal((await reply(1)).ok, true);
    const control = new HostInstanceView(socket);
    await control.until('standby');
    ask({ id: 2, do: 'admit' });
    assert.equal((await reply(2)).result?.phase, 'serving');
    child.stdin.end();
    assert.equal((await child).exitCode, 0);
    await control.until('parked');
    assert.equal(r2.process.exitCode, null);
  });

  it('describe a session that ends with the instance', async () => {
    await using one = new HostInstance(dir, await freePort(), 'r1');
    await one.until('serving');
    const { child, ask, reply } = session(one.socket);
    ask({ id: 1, do: 'state' });
    await reply(1);
    one.process.kill('SIGKILL');
    assert.equal((await child).timedOut, false);
  });

  it('describe what is printed: JSON and 0, or an error and 1, or the usage and 2', async () => {
    const ctl = async (socket: string, ...words: string[]) =>
      await execa(process.execPath, [CTL, ...words], {
        env: { CONTROL_SOCKET: socket },
        reject: false,
        timeout: 20_000,
      });
    for (const word of ['state', 'check', 'health']) {
      const run = await ctl(join(dir, 'nobody.sock'), word);
      assert.equal(run.exitCode, 1, word);
      assert.match(run.stderr, /no supervisor on /);
    }
    for (const words of [[], ['admit']]) assert.equal((await ctl('', ...words)).exitCode, 2);
    assert.match((await ctl('', 'help')).stdout + (await ctl('', 'help')).stderr, /usage: node ctl/);
  });

  it('show seven lines that run as they stand', async () => {
    const lines = /seven lines[^]*?```js\n([^]*?)```/.exec(page)?.[1] ?? '';
    assert.equal(lines.trim().split('\n').length, 7);
    const app = join(dir, 'own');
    const tasuki = join(app, 'node_modules/tasuki');
    await mkdir(tasuki, { recursive: true });
    await symlink(join(ROOT, 'node_modules/express'), join(app, 'node_modules/express'));
    const exported = { type: 'module', exports: { './handover': './handover.js' } };
    await writeFile(join(tasuki, 'package.json'), JSON.stringify(exported));
    await writeFile(join(tasuki, 'handover.js'), `export * from '${join(ROOT, 'app/handover/index.ts')}';\n`);
    await writeFile(join(app, 'server.mjs'), lines);
    const port = await freePort();
    const socket = join(app, 'own.sock');
    const env = {
      PORT: String(port),
      HOST: '127.0.0.1',
      CONTROL_SOCKET: socket,
      RUN_DIR: app,
      RELEASE: 'r7',
    };
    const child = execa(process.execPath, ['server.mjs'], {
      cwd: app,
      env,
      reject: false,
      timeout: 60_000,
      forceKillAfterDelay: false,
    });
    await new HostInstanceView(socket).until('serving');
    for (const [path, text] of [
      ['/', 'hello'],
      ['/healthz', 'alive'],
      ['/readyz', 'ready'],
    ] as const) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { connection: 'close' }, // an idle connection would be waited for
        signal: AbortSignal.timeout(5000),
      });
      assert.equal(await response.text(), text);
      assert.equal(response.headers.get('x-release'), 'r7');
    }
    child.kill('SIGTERM');
    assert.equal((await child).exitCode, 0);
  });
});

/** Reads the phase of an instance through its control command. */
class HostInstanceView {
  readonly #socket: string;
  constructor(socket: string) {
    this.#socket = socket;
  }

  async until(phase: string): Promise<void> {
    const env = { CONTROL_SOCKET: this.#socket };
    const ask = async (): Promise<boolean> => {
      const { stdout } = await execa(process.execPath, [CTL, 'state'], { env, timeout: 10_000 });
      return (JSON.parse(stdout) as deployer.State).phase === phase;
    };
    await eventually(`${this.#socket} is ${phase}`, ask, 30_000);
  }
}
