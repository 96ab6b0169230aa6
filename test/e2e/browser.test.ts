import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildAppImage, docker, startStack, type Stack } from '../support/containers.ts';

const ROOT = join(import.meta.dirname, '../..');
const FIXTURE = join(ROOT, 'test/fixtures/browser');
const IMAGE = 'tasuki-test:browser';
const BUILD_MS = 600_000;
const VISIT_MS = 120_000;

interface Visit {
  status: number;
  wrong: string[];
  title: string;
  rows: number;
  styled: string;
  counted: number;
  newest: string;
  text: string;
  overflow: number;
}

/** A visitor's browser in front of the stack as shipped. With TASUKI_SCREENSHOTS=folder what it saw is kept there. */
describe('a visitor with a browser', () => {
  let stack: Stack;
  let folder: string;
  let seen: Record<'wide' | 'plain' | 'dark' | 'narrow', Visit> & { missing: number };

  before(async () => {
    folder = process.env.TASUKI_SCREENSHOTS ?? (await mkdtemp(join(tmpdir(), 'tasuki-browser-')));
    await chmod(folder, 0o777); // the browser runs as another user
    await Promise.all([buildAppImage(), docker(['build', '-q', '-t', IMAGE, FIXTURE], BUILD_MS)]);
    stack = await startStack();
    const volumes = [
      [join(ROOT, 'node_modules/playwright-core'), '/home/node/node_modules/playwright-core:ro'],
      [join(FIXTURE, 'browse.mjs'), '/home/node/browse.mjs:ro'],
      [folder, '/seen'],
    ].flatMap((pair) => ['-v', pair.join(':')]);
    const pod = await stack.container('pod');
    const run = ['run', '--rm', '--network', `container:${pod}`, ...volumes, IMAGE];
    const said = await docker([...run, 'node', 'browse.mjs', 'http://127.0.0.1/', '/seen'], VISIT_MS);
    seen = JSON.parse(said) as typeof seen;
  });
  after(async () => {
    await stack?.down();
    if (!process.env.TASUKI_SCREENSHOTS) await rm(folder, { recursive: true, force: true });
  });

  for (const how of ['wide', 'plain', 'dark', 'narrow'] as const) {
    it(`sees the board and cheers (${how === 'plain' ? 'without JavaScript' : how})`, async () => {
      const { status, wrong, title, rows, styled, counted, newest, text, overflow } = seen[how];
      assert.deepEqual(wrong, [], 'nothing may be missing, blocked or broken');
      assert.equal(status, 200);
      assert.equal(title, 'Ekiden race board');
      assert.equal(rows, 20);
      assert.equal(styled, 'rgb(255, 255, 255)', 'the stylesheet is used');
      assert.equal(counted, 1, 'the count goes up by the cheer');
      assert.equal(newest, text, 'the cheer is the newest, as it was written');
      assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
      assert.ok((await stat(join(folder, `${how}.png`))).size > 20_000, 'a picture with something on it');
    });
  }

  it('is told by a page of the site that something is not there', () => {
    assert.equal(seen.missing, 404);
  });
});
