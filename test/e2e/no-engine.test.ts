import assert from 'node:assert/strict';
import { chmod, constants, copyFile, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assertRefused, Desk, NO_ENGINE, ROOT } from '../fixtures/desk.ts';

const IMAGE = ['--image', 'app:v2'];
const compose = await readFile(join(ROOT, 'compose.yaml'), 'utf8');

describe('an engine that cannot be used', () => {
  let desk: Desk;
  let tools: string;
  before(async () => {
    desk = await Desk.make(compose);
    // The clone may lie where another uid cannot look (/root): the command and its Node go where everybody can.
    tools = await mkdtemp(join(tmpdir(), 'tasuki-tools-'));
    await chmod(tools, 0o755);
    await cp(join(ROOT, 'bin'), join(tools, 'bin'), { recursive: true });
    await cp(join(ROOT, 'dist/deploy'), join(tools, 'dist/deploy'), { recursive: true });
    await cp(join(ROOT, 'package.json'), join(tools, 'package.json'));
    await mkdir(join(tools, 'node_modules/node/bin'), { recursive: true });
    const node = join(tools, 'node_modules/node/bin/node');
    await copyFile(process.execPath, node, constants.COPYFILE_FICLONE);
    await chmod(node, 0o755);
  });
  after(async () => {
    await desk?.[Symbol.asyncDispose]();
    await rm(tools, { recursive: true, force: true });
  });

  const stranger = (): string[] => {
    const words = 'setpriv --reuid 1234 --regid 1234 --clear-groups'.split(' ');
    return [...words, join(tools, 'bin/deploy')];
  };

  for (const args of [
    IMAGE,
    ['status'],
    ['rollback'],
    ['logs'],
    ['prune'],
    ['unlock'],
    [...IMAGE, '--dry-run'],
  ]) {
    it(`is named, with how to start it and exit code 1: deploy ${args.join(' ')}`, async () => {
      const says = [/the Docker engine does not answer/, /on: {4}unix:\/\/\/nonexistent\.sock/];
      assertRefused(await desk.deploy(args, NO_ENGINE), 1, ...says);
    });

    it(`is named when the user may not use it, with what to do: deploy ${args.join(' ')}`, async () => {
      const run = await desk.deploy(args, { HOME: desk.folder, DOCKER_HOST: '' }, stranger());
      assertRefused(
        run,
        1,
        /no permission on the Docker engine/,
        /next: {2}run as root, or join the group "docker"/,
      );
    });
  }

  it('is named when DOCKER_HOST is nonsense or nobody listens there', async () => {
    const nonsense = await desk.deploy(['status'], { DOCKER_HOST: 'ftp://x:y' });
    assertRefused(nonsense, 1, /next: {2}correct or unset DOCKER_HOST/);
    const closed = await desk.deploy(['status'], { DOCKER_HOST: 'tcp://127.0.0.1:1' });
    assertRefused(closed, 1, /does not answer \(connect ECONNREFUSED/, /next: {2}check DOCKER_HOST/);
  });

  it('is no reason for a stack trace when a folder may not be written either', async () => {
    const env = { HOME: tools, TASUKI_STATE_DIR: join(tools, 'state') };
    assertRefused(
      await desk.deploy(['history'], env, stranger()),
      1,
      /refuses a file or folder/,
      /TASUKI_STATE_DIR/,
    );
  });

  it('is not the trouble when the stack is down: exit code 1 and the command that starts it', async () => {
    for (const args of [IMAGE, ['rollback']]) {
      const run = await desk.deploy(args);
      assertRefused(
        run,
        1,
        /the stack is not up: service "pod" does not run/,
        /next: {2}docker compose up -d/,
      );
    }
    const { exitCode, stdout } = await desk.deploy(['status']);
    assert.equal(exitCode, 1);
    assert.match(stdout, /the stack is not up; next: docker compose up -d/);
  });
});
