import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { execa } from 'execa';
import type { DeployEvent } from '../../deployer/events.ts';
import { docker } from '../support/containers.ts';
import { buildReleases, Project, type Run } from '../support/project.ts';

/** A repository of this run alone: what is removed here is nobody else's. */
const REPOSITORY = `tasuki-prune-${process.pid}-${randomBytes(3).toString('hex')}`;
/** What all are built on, and the worker runs; under a name that no other run moves. */
const BASE = `${REPOSITORY}-base:v1`;
const BALLAST = 1024 ** 2;

/** A good release with a layer of its own. */
async function build(name: string): Promise<string> {
  const image = `${REPOSITORY}:${name}`;
  const lines = [`FROM ${BASE}`, `RUN head -c ${BALLAST} /dev/urandom > /tmp/ballast`, `LABEL of=${image}`];
  await execa('docker', ['build', '-q', '--no-cache', '-t', image, '-'], {
    input: lines.join('\n'),
    timeout: 120_000,
  });
  return image;
}

const idOf = async (image: string): Promise<string> =>
  (await docker(['image', 'inspect', '--format', '{{.Id}}', image])).trim();

/** Which of the ids the engine still has. */
async function there(ids: Map<string, string>): Promise<string[]> {
  const all = (await docker(['images', '-a', '-q', '--no-trunc'])).split('\n');
  return [...ids].filter(([, id]) => all.includes(id)).map(([name]) => name);
}

describe('images of old releases', () => {
  let project: Project;
  const ids = new Map<string, string>();

  async function make(...names: string[]): Promise<void> {
    for (const name of names) ids.set(name, await idOf(await build(name)));
  }
  /** Sets keys of `x-deploy:` in place of those that the last call has set. */
  async function configure(lines: string): Promise<void> {
    const file = join(project.folder, 'compose.yaml');
    const text = (await readFile(file, 'utf8')).replace(
      /^x-deploy:.*# test$/m,
      `x-deploy: {watch: 0, ${lines}} # test`,
    );
    await writeFile(file, text);
  }
  const deploy = async (name: string): Promise<Run> =>
    await project.deployOk('--image', `${REPOSITORY}:${name}`, '--json');
  const pruning = ({ events }: Run) =>
    events.find((event) => event.type === 'step' && event.id === 'prune' && event.status === 'done');
  /** Images of the containers of the app, and which of them runs. */
  const scene = async (): Promise<string[]> =>
    (await project.containers()).map(({ id, image, state }) => `${id} ${image} ${state}`).toSorted();

  before(async () => {
    await buildReleases();
    await docker(['tag', 'tasuki-test:v1', BASE]);
    await make('r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7');
    project = await Project.up(`${REPOSITORY}:r0`, {
      variables: { WORKER_IMAGE: BASE },
      edit: (text) => text.replace(/^x-deploy:[^]*?\n\n/m, 'x-deploy: {watch: 0, keep-images: 7} # test\n\n'),
      hasty: true,
    });
  });
  after(async () => {
    await project?.[Symbol.asyncDispose]();
    const left = await docker(['images', '-q', REPOSITORY]);
    const gone = [...ids.values()].filter((id) => !left.includes(id.slice(7, 19)));
    for (const tag of (await docker(['images', '--format', '{{.Repository}}:{{.Tag}}', REPOSITORY])).split(
      '\n',
    ))
      if (tag) await docker(['rmi', tag]);
    await docker(['rmi', BASE]);
    for (const id of gone) await docker(['rmi', id]).catch(() => {}); // without a tag, if a test has failed
  });

  it('(control) all stay while there are no more than x-deploy.keep-images', async () => {
    for (const name of ['r1', 'r2', 'r3', 'r4', 'r5', 'r6'])
      assert.equal(pruning(await deploy(name)), undefined);
    assert.deepEqual(await there(ids), [...ids.keys()]);
  });

  it('go after a deploy, but for the last N and what anybody else needs', async (t) => {
    await docker(['tag', 'debian:trixie-slim', `${REPOSITORY}:r1`]); // a foreign image with a tag of ours
    await docker(['tag', `${REPOSITORY}:r2`, `${REPOSITORY}:mine`]); // a tag that no deploy gave
    const { stdout: foreign } = await execa('docker', ['create', `${REPOSITORY}:r3`, 'true']);
    try {
      const other = join(project.folder, 'state/other');
      await mkdir(other, { recursive: true });
      const entry = {
        at: '',
        command: 'deploy',
        release: 'x',
        image: 'other:1',
        outcome: 'done',
        by: 'other',
      };
      const line = JSON.stringify({ ...entry, imageId: ids.get('r4') });
      await writeFile(join(other, 'history.jsonl'), `${line}\n`);
      await configure('keep-images: 3');
      const step = pruning(await deploy('r7'));
      t.diagnostic(JSON.stringify(step));
      assert.deepEqual(await there(ids), ['r2', 'r3', 'r4', 'r5', 'r6', 'r7']);
      assert.equal(await idOf(`${REPOSITORY}:r1`), await idOf('debian:trixie-slim'));
      assert.equal(await idOf(`${REPOSITORY}:r2`), await idOf(`${REPOSITORY}:mine`));
      assert.match(JSON.stringify(step), /remove 2 images of old releases.* [\d.]+ [KMG]iB of layers freed/);
      assert.deepEqual(
        (await project.containers()).map(({ image }) => image).toSorted(),
        [`${REPOSITORY}:r6`, `${REPOSITORY}:r7`],
        'one parked, one serving',
      );
      assert.deepEqual(await project.upChanges(), []);
    } finally {
      await docker(['rm', foreign]);
    }
  });

  it('that are kept can be gone back to', async () => {
    const history = (await project.deploy('history', '--json')).stdout.split('\n');
    const entry = history
      .map((line) => JSON.parse(line) as { release: string; image: string })
      .find(({ image }) => image === `${REPOSITORY}:r5`);
    await project.deployOk('rollback', entry?.release ?? '');
    const serving = (await project.status()).record?.serving;
    assert.equal(await project.answering(), serving);
    assert.match(await project.read('.env'), new RegExp(`^TASUKI_IMAGE=${REPOSITORY}:r5$`, 'm'));
    // (control) What stayed for a container that used it has gone with this deploy, now that there is none.
    assert.deepEqual(await there(ids), ['r2', 'r4', 'r5', 'r6', 'r7']);
  });

  it('go with "deploy prune", and with them the container that a killed deploy has left', async (t) => {
    await make('r8');
    await killAt(['--image', `${REPOSITORY}:r8`], 'standby', 1);
    const were = await scene();
    assert.equal(were.length, 3, `a container must be left: ${were.join('\n')}`);
    const planned = await project.deployOk('prune', '--last', '1', '--dry-run');
    assert.match(planned.stdout, /^ {2}retire \S+$/m);
    assert.match(planned.stdout, new RegExp(`^ {2}remove image ${REPOSITORY}:r6 `, 'm'));
    assert.deepEqual(await scene(), were, '--dry-run changes nothing');
    const run = await project.deployOk('prune', '--last', '1');
    t.diagnostic(run.stdout);
    assert.match(run.stdout, /was killed in step "standby"/, 'it must say what it found');
    assert.match(run.stdout, /^removed 1 container and 1 image, [\d.]+ [KMG]iB of layers freed$/m);
    assert.deepEqual(await there(ids), ['r2', 'r4', 'r5', 'r7', 'r8'], 'r5 serves, r7 is parked');
    const { instances, interruption, lock } = await project.status();
    assert.deepEqual(
      instances.map((one) => `${one.visible ? 'visible' : 'hidden'} ${one.state?.phase}`).toSorted(),
      ['hidden standby', 'visible serving'],
    );
    assert.deepEqual([interruption, lock], [null, null]);
    assert.deepEqual(await project.upChanges(), []);
    const again = JSON.parse((await project.deployOk('prune', '--json')).stdout) as Record<string, unknown>;
    assert.deepEqual([again.containers, again.removed, again.freed], [[], [], 0]);
  });

  /** Starts the command and kills it when a step has been heard of so many times. */
  async function killAt(args: string[], step: string, times: number): Promise<void> {
    const command = project.spawnDeploy([...args, '--json']);
    let heard = 0;
    for await (const line of createInterface({ input: command.stdout })) {
      const event = JSON.parse(line) as DeployEvent;
      const isIt = (event.type === 'step' || event.type === 'progress') && event.id === step;
      if (isIt && ++heard === times) command.kill('SIGKILL');
    }
    assert.equal((await command).signal, 'SIGKILL', `it must have come to "${step}"`);
  }

  it('are finished with by the next deploy when the command was killed in the middle', async (t) => {
    await configure('keep-images: 9');
    await make('r9', 'r10', 'r11');
    for (const name of ['r8', 'r9', 'r10']) await deploy(name);
    await configure('keep-images: 1');
    // Its start, the first image, the second.
    await killAt(['--image', `${REPOSITORY}:r11`], 'prune', 3);
    const left = await there(ids);
    t.diagnostic(`left by the killed prune: ${left.join(', ')}`);
    assert.ok(!left.includes('r5') && left.includes('r9'), 'the first is gone, the last is not');
    assert.match(await project.read('.env'), new RegExp(`^TASUKI_IMAGE=${REPOSITORY}:r11$`, 'm'));
    assert.equal(await project.answering(), (await project.status()).record?.serving);
    await make('r12');
    const { events } = await deploy('r12');
    assert.ok(
      events.some((event) => event.type === 'notice' && /was killed in step "prune"/.test(event.text)),
      'it must say what it found',
    );
    assert.deepEqual(await there(ids), ['r2', 'r4', 'r11', 'r12'], 'r12 serves, r11 is parked');
    assert.deepEqual(await project.upChanges(), []);
  });

  describe('on a machine without room', () => {
    for (const [key, code, image] of [
      ['free-memory', 'NO_MEMORY', 'r12'],
      ['free-disk', 'NO_DISK', 'r12'],
      ['free-disk', 'NO_DISK', 'not-here'],
    ] as const) {
      it(`are not deployed: ${code} of ${image} is refused before anything is made or pulled`, async (t) => {
        await configure(`${key}: 400t`);
        const were = [await scene(), await project.read('.env'), await project.answering()];
        const args = ['--image', `${REPOSITORY}:${image}`];
        const { exitCode, events } = await project.deploy(...args, '--json');
        assert.equal(exitCode, 1);
        assert.deepEqual(
          events.map(({ type }) => type),
          ['error'],
          'no step is begun',
        );
        const { error } = events[0] as Extract<DeployEvent, { type: 'error' }>;
        t.diagnostic(`${error.what}; limit: ${error.limit}; next: ${error.next}`);
        assert.equal(error.code, code);
        assert.match(`${error.what} ${error.limit}`, new RegExp(`[MG]iB.*\\(x-deploy\\.${key}\\)`));
        assert.deepEqual([await scene(), await project.read('.env'), await project.answering()], were);
        assert.equal((await project.status()).lock, null);
        const dry = await project.deployOk(...args, '--dry-run');
        assert.match(dry.stderr, /^warning: would be refused: not enough (memory|disk) /m);
        assert.match(dry.stdout, /^undone if anything fails$/m);
      });
    }

    it('can be gone back to while they are parked', async () => {
      await configure('free-memory: 400t, free-disk: 400t');
      await project.deployOk('rollback');
      assert.match(await project.read('.env'), new RegExp(`^TASUKI_IMAGE=${REPOSITORY}:r11$`, 'm'));
    });

    it('(control) are deployed where that is not looked at, and with what is usual', async () => {
      await configure('free-memory: false, free-disk: false');
      await deploy('r12');
      await configure('');
      await deploy('r11');
    });
  });
});
