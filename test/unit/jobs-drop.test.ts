import assert from 'node:assert/strict';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Runs } from '../../app/db/jobs.ts';
import { DropFolder, type FileWork } from '../../app/jobs/drop/folder.ts';
import { createImport, parseCheers } from '../../app/jobs/drop/import.ts';
import { createLogger } from '../../app/log.ts';
import { eventually } from '../support/containers.ts';

const LOG = createLogger('silent', {});

void describe('the worker of a drop folder', () => {
  let folder: string;
  let open: DropFolder[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tasuki-drop-'));
    open = [];
  });
  afterEach(async () => {
    await Promise.all(open.map((one) => one.drain(0)));
    await rm(folder, { recursive: true, force: true });
  });

  /** Looks by itself so seldom that what is noticed soon came by inotify. */
  async function start(work: FileWork, more = {}): Promise<DropFolder> {
    const one = new DropFolder({ folder, work, log: LOG, lookMs: 60_000, ...more });
    open.push(one);
    await one.open();
    return one;
  }
  async function drop(name: string, text = 'text'): Promise<void> {
    await writeFile(join(folder, 'tmp', name), text);
    await rename(join(folder, 'tmp', name), join(folder, 'new', name));
  }
  const list = async (part: string): Promise<string[]> => (await readdir(join(folder, part))).toSorted();

  test('notices a file by inotify and removes it when it is done', async () => {
    const seen: string[] = [];
    const one = await start(async (name, text) => void seen.push(`${name} ${text}`));
    await drop('a', 'hello');
    await eventually('it is done', async () => seen.length === 1 && (await list('cur')).length === 0);
    assert.deepEqual(seen, ['a hello']);
    assert.equal(one.requests, 1);
  });

  test('does each of many files once, with several workers', async () => {
    const seen: string[] = [];
    const work: FileWork = async (name) => void seen.push(name);
    await Promise.all([start(work), start(work), start(work)]);
    const names = Array.from({ length: 60 }, (_, n) => `f${n}`);
    await Promise.all(names.map((name) => drop(name)));
    await eventually('all are done', async () => seen.length >= 60 && (await list('cur')).length === 0);
    assert.deepEqual(seen.toSorted(), names.toSorted());
  });

  test('tries a failing file again, with its error beside it meanwhile, and gives up in the end', async () => {
    let tries = 0;
    await start(
      async (name) => {
        tries += 1;
        if (name === 'bad' || tries < 3) throw new Error(`try ${tries}`);
      },
      { lookMs: 20, firstRetryMs: 20 },
    );
    await drop('sick');
    await eventually(
      'it is done at the third try',
      async () => tries === 3 && (await list('cur')).length === 0,
    );
    tries = 10;
    await drop('bad');
    await eventually('its error is beside it', async () => (await list('cur')).includes('bad.error'));
    await eventually('it is given up', async () => (await list('failed')).length === 2);
    assert.equal(tries, 15, 'five tries');
    assert.deepEqual(await list('failed'), ['bad', 'bad.error']);
  });

  test('finishes its file when it is stopped, or gives it back at the deadline', async () => {
    const { promise: started, resolve: start1 } = Promise.withResolvers<void>();
    const { promise: end, resolve: finish } = Promise.withResolvers<void>();
    const one = await start(async () => (start1(), await end));
    await drop('a');
    await started;
    const draining = one.drain(60_000);
    finish();
    const done = await draining;
    assert.deepEqual([done.answered, done.cut], [1, 0]);
    assert.deepEqual(await list('cur'), []);

    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    const two = await start(async (_name, _text, signal) => {
      begin();
      await new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('cut'))),
      );
    });
    await drop('b');
    await began;
    const cut = await two.drain(10);
    assert.deepEqual([cut.answered, cut.cut], [0, 1]);
    assert.deepEqual([await list('new'), await list('cur')], [['b'], []]);
  });
});

test('an imported file is lines of a team and a text, and a bad line is named', () => {
  assert.deepEqual(parseCheers('3\tGo!\n\n\tall of you \r\n'), [
    { team: 3, text: 'Go!' },
    { team: null, text: 'all of you' },
  ]);
  for (const [text, line] of [
    ['1\tok\nno tab', 2],
    ['x\ttext', 1],
    ['1\t  ', 1],
    [`1\t${'x'.repeat(281)}`, 1],
  ] as const)
    assert.throws(() => parseCheers(text), new RegExp(`line ${line} `));
});

test('a file is known by name and content', async () => {
  const keys: string[] = [];
  const runs = {
    start: async (key: string) => void keys.push(key),
    once: async () => null,
  } as unknown as Runs;
  const work = createImport(runs);
  const { signal } = new AbortController();
  for (const [name, text] of [
    ['a', '\tx'],
    ['a', '\tx'],
    ['b', '\tx'],
    ['a', '\ty'],
  ] as const)
    await work(name, text, signal);
  assert.equal(keys[0], keys[1]);
  assert.equal(new Set(keys).size, 3);
});
