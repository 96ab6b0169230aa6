import assert from 'node:assert/strict';
import {
  chmod,
  chown,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readEnvFile, replaceFile, setInEnvFile, setVariables } from '../../deployer/store/env-file.ts';
import { appendHistory, readHistory, readReleases, type HistoryEntry } from '../../deployer/store/history.ts';
import { Journal, parseLines, readInterruption } from '../../deployer/store/journal.ts';
import { stateFolder } from '../../deployer/store/paths.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tasuki-store-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('setting a variable of .env', () => {
  const cases: [string, string, Record<string, string>, string][] = [
    ['adds it to an empty file', '', { A: '1' }, 'A=1\n'],
    ['adds it at the end', 'B=2\n', { A: '1' }, 'B=2\nA=1\n'],
    ['ends the last line first when it has no newline', 'B=2', { A: '1' }, 'B=2\nA=1\n'],
    ['changes it where it stands', 'X=0\nA=1\nB=2\n', { A: '9' }, 'X=0\nA=9\nB=2\n'],
    ['keeps comments and empty lines', '# A=0\n\nA=1\n\n# end\n', { A: '9' }, '# A=0\n\nA=9\n\n# end\n'],
    ['changes the last of several, which is the one that counts', 'A=1\nA=2\n', { A: '9' }, 'A=1\nA=9\n'],
    ['does not mistake a longer name for it', 'AB=1\nBA=2\n', { A: '9' }, 'AB=1\nBA=2\nA=9\n'],
    ['takes $ and & as they are', 'A=1\n', { A: "$&$1$'" }, "A=$&$1$'\n"],
    ['finds it behind spaces', '  A = 1\n', { A: '9' }, 'A=9\n'],
    ['sets several at once', 'A=1\n', { A: '2', B: '3' }, 'A=2\nB=3\n'],
    ['leaves other lines with Windows endings as they are', 'X=0\r\nA=1\n', { A: '9' }, 'X=0\r\nA=9\n'],
  ];
  for (const [what, text, values, expected] of cases) {
    it(what, () => assert.equal(setVariables(text, values), expected));
  }

  it('keeps the word export', () => {
    assert.equal(setVariables('export A=1\n', { A: '9' }), 'export A=9\n');
  });

  it('is read back by the reader, and is no other file when nothing changes', async () => {
    const file = join(dir, '.env');
    assert.deepEqual({ ...(await readEnvFile(file)) }, {});
    await setInEnvFile(file, { TASUKI_IMAGE: 'app:v2', TASUKI_RELEASE: 'r2' });
    assert.deepEqual({ ...(await readEnvFile(file)) }, { TASUKI_IMAGE: 'app:v2', TASUKI_RELEASE: 'r2' });
    const { ino } = await stat(file);
    await setInEnvFile(file, { TASUKI_IMAGE: 'app:v2' });
    assert.equal((await stat(file)).ino, ino);
  });

  it('is refused for a file that cannot be read, which is not taken for an empty one', async () => {
    await assert.rejects(setInEnvFile(dir, { A: '1' }), /EISDIR/);
  });
});

describe('a file that is replaced', () => {
  it('is the old one or the new one at every moment, and leaves nothing behind', async () => {
    const file = join(dir, '.env');
    const texts = ['a', 'b'].map((letter) => letter.repeat(200_000));
    await replaceFile(file, texts[0] ?? '');
    const writing = (async () => {
      for (let n = 1; n <= 40; n++) await replaceFile(file, texts[n % 2] ?? '');
      return 'written';
    })();
    const look = async (): Promise<string> => {
      assert.ok(texts.includes(await readFile(file, 'utf8')));
      return 'seen';
    };
    let seen = 0;
    while ((await Promise.race([writing, look()])) === 'seen') seen += 1;
    assert.ok(seen > 1, `looked ${seen} times only`);
    assert.deepEqual(await readdir(dir), ['.env']);
  });

  it('keeps a mode that hides secrets', async () => {
    const file = join(dir, '.env');
    await writeFile(file, 'A=1\n');
    await chmod(file, 0o600);
    await replaceFile(file, 'A=2\n');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('keeps a mode wider than the umask', async () => {
    const file = join(dir, '.env');
    await writeFile(file, 'A=1\n');
    await chmod(file, 0o666);
    await replaceFile(file, 'A=2\n');
    assert.equal((await stat(file)).mode & 0o777, 0o666);
  });

  it('keeps its owner', { skip: process.getuid?.() !== 0 && 'only root may give a file away' }, async () => {
    const file = join(dir, '.env');
    await writeFile(file, 'A=1\n');
    await chown(file, 1000, 1000);
    await replaceFile(file, 'A=2\n');
    assert.equal((await stat(file)).uid, 1000);
  });

  it('stays behind its link', async () => {
    await writeFile(join(dir, 'shared.env'), 'A=1\n');
    await symlink('shared.env', join(dir, '.env'));
    await setInEnvFile(join(dir, '.env'), { A: '2' });
    assert.ok((await lstat(join(dir, '.env'))).isSymbolicLink());
    assert.equal(await readFile(join(dir, 'shared.env'), 'utf8'), 'A=2\n');
  });
});

describe('the journal', () => {
  const run = { release: 'r2', image: 'app:v2' };
  const begin = { type: 'begin', command: 'deploy', project: 'shop', from: 'r1', ...run } as const;
  const start = { type: 'step', id: 'create', title: 'create', status: 'start' } as const;
  const done = { type: 'step', id: 'create', title: 'create', status: 'done', ms: 5 } as const;
  const end = {
    type: 'end',
    command: 'deploy',
    outcome: 'done',
    exit: 0,
    ms: 9,
    probe: null,
    report: null,
    ...run,
  } as const;
  const file = (): string => join(dir, 'journal.jsonl');

  it('of no run, and of a run that came to its end, tells of no interruption', async () => {
    assert.equal(await readInterruption(dir), null);
    const journal = Journal.begin(dir);
    for (const event of [begin, start, done, end]) journal.write(event);
    journal.close();
    assert.equal(await readInterruption(dir), null);
  });

  it('tells the step a killed run was in, or the last it had finished', async () => {
    const journal = Journal.begin(dir);
    journal.write(begin);
    const expected = { command: 'deploy', release: 'r2', image: 'app:v2' };
    const told = async (): Promise<object> => {
      const { at, ...rest } = (await readInterruption(dir)) ?? assert.fail('no interruption');
      assert.ok(Date.parse(at) > 0);
      return rest;
    };
    assert.deepEqual(await told(), { ...expected, step: null, finished: false });
    journal.write(start);
    assert.deepEqual(await told(), { ...expected, step: 'create', finished: false });
    journal.write(done);
    assert.deepEqual(await told(), { ...expected, step: 'create', finished: true });
    journal.close();
  });

  it('is readable however much of its last line a crash has left', async () => {
    const journal = Journal.begin(dir);
    for (const event of [begin, start, done]) journal.write(event);
    journal.close();
    const text = await readFile(file(), 'utf8');
    const torn = text.lastIndexOf('\n', text.length - 2) + 1;
    for (let length = torn; length < text.length - 1; length++) {
      await writeFile(file(), text.slice(0, length));
      const { step, finished } = (await readInterruption(dir)) ?? assert.fail('no interruption');
      assert.deepEqual({ step, finished }, { step: 'create', finished: false });
    }
  });

  it('is begun anew by the next run, and does not hold progress', async () => {
    for (const event of [begin, { ...begin, release: 'r3' }]) {
      const journal = Journal.begin(dir);
      journal.write(event);
      journal.write({ type: 'progress', id: 'pull', text: '12 MB' });
      journal.close();
    }
    assert.equal(parseLines(await readFile(file(), 'utf8')).length, 1);
    assert.equal((await readInterruption(dir))?.release, 'r3');
  });
});

describe('the history', () => {
  const entry = (release: string): HistoryEntry => ({
    version: 1,
    at: '2026-11-21T01:23:05.120Z',
    command: 'deploy',
    release,
    image: `app:${release}`,
    imageId: null,
    digest: null,
    revision: null,
    by: 'ops@host',
    from: null,
    fromImage: null,
    fromImageId: null,
    outcome: 'done',
    ms: 700,
    servingMs: 400,
    steps: [],
    probe: null,
    error: null,
    report: null,
  });

  it('is empty before the first run, and then lists the runs oldest first', async () => {
    assert.deepEqual(await readHistory(dir), []);
    await appendHistory(dir, entry('r1'));
    await appendHistory(dir, entry('r2'));
    assert.deepEqual(await readHistory(dir), [entry('r1'), entry('r2')]);
  });

  it('has handovers of the proxy in it, which are no releases', async () => {
    for (const command of ['deploy', 'proxy']) await appendHistory(dir, { ...entry(command), command });
    assert.equal((await readHistory(dir)).length, 2);
    assert.deepEqual(await readReleases(dir), [entry('deploy')]);
  });

  it('holds every entry when several are added at once', async () => {
    const releases = Array.from({ length: 20 }, (_, n) => `r${n}`);
    await Promise.all(releases.map((release) => appendHistory(dir, entry(release))));
    const found = (await readHistory(dir)).map(({ release }) => release);
    assert.deepEqual(new Set(found), new Set(releases));
  });

  it('of which a crash tore the last line still has the others', async () => {
    await appendHistory(dir, entry('r1'));
    await writeFile(join(dir, 'history.jsonl'), '{"version":1,"at"', { flag: 'a' });
    assert.deepEqual(await readHistory(dir), [entry('r1')]);
  });

  it('keeps the entry that follows a torn line', async () => {
    await writeFile(join(dir, 'history.jsonl'), '{"version":1,"at"');
    await appendHistory(dir, entry('r2'));
    assert.deepEqual(await readHistory(dir), [entry('r2')]);
  });
});

describe('the folder of a project', () => {
  it('is private, and lies where the environment says', async () => {
    const own = await stateFolder({ TASUKI_STATE_DIR: join(dir, 'own') }, 'shop');
    assert.equal(own, join(dir, 'own/shop'));
    assert.equal((await stat(own)).mode & 0o777, 0o700);
    assert.equal(await stateFolder({ XDG_STATE_HOME: dir }, 'shop'), join(dir, 'tasuki/shop'));
  });
});
