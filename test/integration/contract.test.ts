import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { CheckResult, Drain, Figures, ReleaseRecord, State } from '../../deployer/contract.ts';
import { RECORD_FILE } from '../../deployer/contract.ts';
import { freePort } from '../support/containers.ts';
import { HostInstance } from '../support/instance.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
// The deployer's side as values: the compiler holds these lists to its types, the test holds them to the page and the app.
const STATE: Record<keyof State, true> = {
  protocol: true,
  release: true,
  phase: true,
  onLoan: true,
  listen: true,
  uid: true,
  children: true,
  restarts: true,
  record: true,
  drain: true,
  preview: true,
  paused: true,
  problem: true,
};
const FIGURES: Record<keyof Figures, true> = { answered: true, errors: true, times: true };
const DRAIN: Record<keyof Drain, true> = {
  ms: true,
  answered: true,
  cut: true,
  cutRequests: true,
  streams: true,
};
const CHECK: Record<keyof CheckResult, true> = { status: true, ms: true, body: true };
const RECORD: Record<keyof ReleaseRecord, true> = { version: true, serving: true, known: true, at: true };
const keys = (value: object): string[] => Object.keys(value).toSorted((a, b) => a.localeCompare(b));

describe('docs/contract.md, the deployer and the app say the same', { timeout: 60_000 }, () => {
  let page: string;
  let dir: string;
  let app: HostInstance;
  before(async () => {
    page = await readFile(join(ROOT, 'docs/contract.md'), 'utf8');
    dir = await mkdtemp(join(tmpdir(), 'tasuki-contract-'));
    app = new HostInstance(dir, await freePort(), 'r1');
    await app.until('serving');
  });
  after(async () => {
    await app?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** The keys of an interface in the page's block of types. */
  function inPage(name: string): string[] {
    const body = new RegExp(`interface ${name} \\{([^]*?)\\n?\\}\\n`).exec(page)?.[1] ?? '';
    const flat = body.replaceAll(/\{[^}]*\}/g, '').replaceAll(/\/\/.*$/gm, '');
    return [...flat.matchAll(/(\w+)\??\s*:/g)]
      .map((match) => match[1] ?? '')
      .toSorted((a, b) => a.localeCompare(b));
  }

  it('about the state of an instance', async () => {
    assert.deepEqual(inPage('State'), keys(STATE));
    assert.deepEqual(keys(await app.state()), keys(STATE));
  });

  it('about a drain, a check, the figures and the record', async () => {
    const control = await app.session();
    assert.deepEqual(inPage('Figures'), keys(FIGURES));
    assert.deepEqual(keys((await control.ask('figures')) as object), keys(FIGURES));
    assert.deepEqual(inPage('Drain'), keys(DRAIN));
    assert.deepEqual(keys((await control.ask('check', { path: '/' })) as object), keys(CHECK));
    const record = JSON.parse(await readFile(join(dir, RECORD_FILE), 'utf8')) as object;
    assert.deepEqual(keys(record), keys(RECORD));
    const example = JSON.parse(/```json\n([^]*?)```/.exec(page)?.[1] ?? '{}') as object;
    assert.deepEqual(keys(example), keys(RECORD));
    control.close();
  });

  it('about the commands: each of the page is understood', async () => {
    const commands = [...page.matchAll(/^\| `(\w+)` \|/gm)]
      .map((match) => match[1] ?? '')
      .filter((word) => /^[a-z]+$/.test(word));
    assert.deepEqual(commands, [
      'state',
      'watch',
      'check',
      'admit',
      'promote',
      'figures',
      'loosen',
      'weigh',
      'pause',
      'resume',
      'preview',
      'park',
      'alone',
      'retire',
    ]);
    const control = await app.session();
    for (const command of commands.filter((word) => word !== 'retire')) {
      const refused = await control.ask(command).then(
        () => '',
        (error: Error) => error.message,
      );
      assert.notEqual(refused, 'UNKNOWN_COMMAND', command);
    }
    assert.deepEqual(keys((await control.ask('retire', { deadlineMs: 1000 })) as object), keys(DRAIN));
    assert.equal(await app.ended(), 0);
  });

  it('about the control command: it reports, and refuses a word it does not know', async () => {
    await using other = new HostInstance(dir, await freePort(), 'r1');
    await other.until('serving');
    const ctl = (...words: string[]) =>
      execa(process.execPath, [join(ROOT, 'app/ctl.ts'), ...words], {
        env: { CONTROL_SOCKET: other.socket },
        reject: false,
        timeout: 10_000,
      });
    assert.equal((JSON.parse((await ctl('state')).stdout) as State).release, 'r1');
    assert.equal((await ctl('health')).exitCode, 0);
    assert.equal((await ctl('check', '/')).exitCode, 0);
    assert.equal((await ctl('dance')).exitCode, 2);
    await other[Symbol.asyncDispose]();
    assert.equal((await ctl('health')).exitCode, 1);
  });
});
