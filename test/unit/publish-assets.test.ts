import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { publishAssets } from '../../app/web/publish-assets.ts';
import { css, ENCODINGS, writeAssets } from '../support/assets.ts';
import { eventually } from '../support/containers.ts';

let dir: string;
let to: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tasuki-assets-'));
  to = join(dir, 'shared');
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** A name with a hash, of eight characters as the bundler makes them. */
const nameOf = (build: string): string => `page-${build.toUpperCase().padStart(8, '0')}.css`;

/** Publishes a build that consists of one page's style sheet, as `release`. */
async function publish(build: string, release = build, keep: string[] = []): Promise<void> {
  const from = join(dir, 'builds', build);
  await writeAssets(from, { [nameOf(build)]: css(build) });
  await publishAssets({ to, release, keep, from });
}

/** The builds whose file is in the shared folder. */
async function present(...builds: string[]): Promise<string[]> {
  const names = await readdir(to);
  return builds.filter((build) => names.includes(nameOf(build)));
}

describe('publishing the static files of a release', () => {
  test('puts every form of every file with a hash there, readable by the proxy, and nothing else', async () => {
    const from = join(dir, 'from');
    await writeAssets(from, { [nameOf('a')]: css('a'), 'robots.txt': 'x', 'manifest.json': '{}' });
    await chmod(join(from, nameOf('a')), 0o600);
    await publishAssets({ to, release: 'r1', keep: [], from });
    for (const folder of ['', ...ENCODINGS]) {
      const path = join(to, folder, nameOf('a'));
      assert.deepEqual(await readFile(path), await readFile(join(from, folder, nameOf('a'))));
      assert.equal((await stat(path)).mode & 0o777, 0o644);
    }
    const parts = ['br', 'gzip', nameOf('a'), 'releases', 'tmp', 'zstd'];
    assert.deepEqual((await readdir(to)).toSorted(), parts.toSorted());
    assert.deepEqual(await readdir(join(to, 'tmp')), []);
  });

  test('leaves a file alone that is there, and replaces one that is only half there', async () => {
    await publish('a');
    const path = join(to, nameOf('a'));
    const first = await stat(path);
    await publish('a');
    const second = await stat(path);
    assert.deepEqual([second.ino, second.mtimeMs], [first.ino, first.mtimeMs]);
    await writeFile(path, css('a').slice(0, 100));
    await publish('a');
    assert.equal(await readFile(path, 'utf8'), css('a'));
    assert.notEqual((await stat(path)).ino, first.ino, 'by rename: who reads the half one is not disturbed');
  });

  test('keeps the files of the last five builds, and removes older ones with their list', async () => {
    const builds = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const build of builds.slice(0, 5)) await publish(build);
    assert.deepEqual(await present(...builds), ['a', 'b', 'c', 'd', 'e']);
    await publish('f');
    assert.deepEqual(await present(...builds), ['b', 'c', 'd', 'e', 'f']);
    for (const encoding of ENCODINGS)
      assert.ok(!(await readdir(join(to, encoding))).includes(nameOf('a')), encoding);
    assert.equal((await readdir(join(to, 'releases'))).length, 5);
  });

  test('keeps the files of the release that serves however many come after it, which otherwise would go', async () => {
    await publish('old', 'serving');
    await publish('other', 'forgotten');
    for (const build of ['b', 'c', 'd', 'e', 'f', 'g']) await publish(build, build, ['serving']);
    assert.deepEqual(await present('old', 'other'), ['old']);
  });

  test('a release that comes back after its files were removed has them again', async () => {
    for (const build of ['a', 'b', 'c', 'd', 'e', 'f']) await publish(build);
    assert.deepEqual(await present('a'), []);
    await publish('a');
    assert.deepEqual(await present('a', 'f'), ['a', 'f']);
  });

  test('releases and restarts that change no file push none out', async () => {
    await publish('a');
    for (let i = 0; i < 12; i++) await publish('b', `r${i % 6}`);
    assert.deepEqual(await present('a', 'b'), ['a', 'b']);
    assert.ok((await readdir(join(to, 'releases'))).length <= 3, 'one list for each build');
  });

  test('an image that was built anew under the same release name does not take the former one away', async () => {
    await publish('a', 'initial');
    await publish('b', 'initial');
    assert.deepEqual(await present('a', 'b'), ['a', 'b']);
  });

  test('instances that boot at the same time do each other no harm', async () => {
    for (let round = 0; round < 20; round++) {
      const builds = ['a', 'b', 'c', 'd', 'e'].map((letter) => `${letter}${round}`);
      await Promise.all([...builds, builds[0]!, builds[1]!].map((build) => publish(build)));
      assert.deepEqual(await present(...builds), builds);
    }
    assert.deepEqual(await readdir(join(to, 'tmp')), []);
  });

  for (const [what, asked] of [
    ['a file that another instance asks for while it is being removed is put back', true],
    ['and is gone when nobody asks', false],
  ] as const) {
    test(what, { timeout: 20_000 }, async () => {
      await publish('a');
      await writeAssets(to, { [nameOf('left')]: css('left') }); // named by no list
      // The oldest list is a pipe: who looks through the lists stands still there until it is written to.
      const pipe = join(to, 'releases', '0-pipe.json');
      execFileSync('mkfifo', [pipe]);
      const list = JSON.stringify({ release: 'pipe', files: ['nothing'] });
      const publishing = publish('b');
      const looking = await open(pipe, 'w'); // it has read all other lists, and has not removed anything yet
      if (asked) {
        const files = ['', ...ENCODINGS].map((folder) => join(folder, nameOf('left')));
        const path = join(to, 'releases', `${Date.now()}-test.json`);
        await writeFile(path, JSON.stringify({ release: 'left', files }));
        assert.deepEqual(await present('left'), ['left'], 'so the other instance does not copy it');
      }
      await looking.writeFile(list);
      await looking.close();
      await writeFile(pipe, list); // the second look
      await publishing;
      assert.deepEqual(await present('left'), asked ? ['left'] : []);
    });
  }

  test('killed in the middle it leaves whole files only, and the next boot completes them', async () => {
    const from = join(dir, 'from');
    const names = Array.from({ length: 300 }, (_, i) => nameOf(`n${i}`));
    await writeAssets(from, Object.fromEntries(names.map((name) => [name, css(name)])));
    const publication = { to, release: 'r1', keep: [], from };
    const script = `import { publishAssets } from '${import.meta.dirname}/../../app/web/publish-assets.ts';
      await publishAssets(${JSON.stringify(publication)});`;
    const victim = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' });
    const ended = once(victim, 'exit');
    await eventually('a file is there', async () => (await readdir(to)).some((name) => names.includes(name)));
    victim.kill('SIGKILL');
    await ended;
    for (const name of (await readdir(to)).filter((file) => names.includes(file)))
      assert.equal(await readFile(join(to, name), 'utf8'), css(name));
    await publishAssets(publication);
    for (const name of names) assert.equal(await readFile(join(to, name), 'utf8'), css(name));
  });

  test('removes what a killed instance left, and not what another is making', async () => {
    await publish('a');
    const names = [`${Date.now() - 7_200_000}-x`, `${Date.now()}-y`];
    for (const name of names) await writeFile(join(to, 'tmp', name), '');
    await utimes(join(to, 'tmp', names[1]!), 0, 0);
    await publish('a');
    assert.deepEqual(await readdir(join(to, 'tmp')), [names[1]]);
  });

  test('a folder that cannot be written is an error with its reason', async () => {
    await writeFile(to, '');
    await assert.rejects(publish('a'), /ENOTDIR|EEXIST/);
  });

  test('a list that cannot be read stops nothing from being published', async () => {
    await publish('a');
    await writeFile(join(to, 'releases', '1-damaged.json'), '{"release":"x","fi');
    await publish('b');
    assert.deepEqual(await present('a', 'b'), ['a', 'b']);
    assert.ok(!(await readdir(join(to, 'releases'))).includes('1-damaged.json'));
  });

  test('without built files there is nothing to publish', async () => {
    const from = join(dir, 'source');
    await mkdir(from);
    await writeFile(join(from, 'board.css'), '');
    await publishAssets({ to, release: 'r1', keep: [], from });
    await assert.rejects(stat(to), /ENOENT/);
  });
});
