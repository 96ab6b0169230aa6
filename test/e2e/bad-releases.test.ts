import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { BAD } from '../fixtures/bad-releases.ts';
import { docker } from '../support/containers.ts';
import type { Load } from '../support/load/index.ts';
import { buildFixture, buildReleases, Project, type Run } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad, type LoadResult } from '../support/under-load.ts';

/** All containers of a project, the lock too, with their state; and what Compose would start. */
async function scene(project: Project): Promise<string[]> {
  const list = async (filter: string): Promise<string> =>
    await docker(['ps', '-a', '--no-trunc', '--filter', filter, '--format', '{{.Names}} {{.ID}} {{.State}}']);
  const [mine, lock, env] = await Promise.all([
    list(`label=com.docker.compose.project=${project.name}`),
    list(`name=^/${project.name}-deploy-lock$`),
    project.read('.env'),
  ]);
  return [...mine.split('\n').filter(Boolean).toSorted(), ...lock.split('\n').filter(Boolean), env];
}

/** Nothing is left over and nothing is missing: the containers, the lock, `.env`, and the release that answers. */
async function assertAsBefore(project: Project, were: string[], release: string | null): Promise<void> {
  assert.deepEqual(await scene(project), were);
  assert.ok(release !== null, 'a release must have answered before');
  assert.equal(await project.answering(), release);
}

async function assertInHistory(project: Project, image: string): Promise<void> {
  const { stdout } = await project.deployOk('history', '--json');
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
  assert.equal(last.image, image);
  assert.equal(last.outcome, 'failed');
  assert.ok(typeof last.error === 'string' && last.error !== '', 'history must say why');
}

/** Exit code 1, a message for people on standard error, and the count of the command's own requests. */
function assertSays({ exitCode, stdout, stderr }: Run, says: RegExp[]): void {
  assert.equal(exitCode, 1, stderr);
  for (const wanted of says) assert.match(stderr, wanted);
  assert.match(stderr, /^error: /m);
  assert.match(stderr, /^ {2}next: {2}\S/m);
  assert.match(stderr, /^ {2}serves: release \S/m);
  assert.match(stderr, /nothing changed for your users/);
  assert.doesNotMatch(
    stderr,
    /dist\/deploy|run again with --verbose/,
    'a foreseeable mistake is no surprise',
  );
  assert.match(stdout, /sent \d+, failed 0, slowest/);
}

describe('a bad release, deployed under load', () => {
  let project: Project;
  let load: Load;
  let result: Promise<LoadResult>;
  const enough = Promise.withResolvers<void>();

  before(async () => {
    await buildReleases('v2');
    const kinds = [...BAD.map(({ kind }) => kind), 'ignores-sigterm', 'crashes-when-admitted'];
    await Promise.all(kinds.map((kind) => buildFixture(kind)));
    project = await Project.up('tasuki-test:v1', { hasty: true });
    const started = Promise.withResolvers<Load>();
    result = underLoad(project, STEADY, async (running) => {
      started.resolve(running);
      await enough.promise;
    });
    result.catch(started.reject);
    load = await started.promise;
    await load.until(({ answered }) => answered > 300, 30_000);
  });
  after(async () => {
    enough.resolve();
    await result?.catch(() => {});
    await project?.[Symbol.asyncDispose]();
  });

  async function refused(t: TestContext, image: string, flags: string[], says: RegExp[]): Promise<void> {
    const [were, release, { sent }] = [
      await scene(project),
      await project.answering(),
      await load.counters(),
    ];
    const run = await project.deploy('--image', image, ...flags);
    assertSays(run, [...says, /^error: .*(release|image)/m]);
    await assertAsBefore(project, were, release);
    await assertInHistory(project, image);
    const now = await load.counters();
    assert.equal(now.failed, 0);
    assert.ok(now.sent > sent, 'users must have sent requests meanwhile');
    t.diagnostic(`${now.sent - sent} requests of users meanwhile; ${run.stdout.split('\n').at(-1)}`);
  }

  it('whose image does not exist is refused, and the message names the image and where to look', async (t) => {
    const image = 'tasuki-test:no-such-image';
    const says = [
      /the image is not on this machine and could not be pulled/,
      /on: {4}tasuki-test:no-such-image/,
      /next: {2}check the name \(docker images lists what is here\), or build it: deploy --build/,
    ];
    await refused(t, image, [], says);
  });

  for (const { does, kind, flags = [], says } of BAD) {
    it(`that ${does} is undone: exit code 1, its last words shown, nothing left over`, async (t) => {
      await refused(t, `tasuki-test:${kind}`, flags, says);
    });
  }

  it('that is only planned (--dry-run) changes nothing: the steps are printed, none is done', async () => {
    const [were, release] = [await scene(project), await project.answering()];
    const history = (await project.deployOk('history', '--json')).stdout;
    const { stdout, stderr } = await project.deployOk('--image', 'tasuki-test:v2', '--dry-run');
    assert.equal(stderr, '');
    const titles =
      /undone if anything fails\n {2}create [^]*the switch\n {2}promote [^]*after it\n {2}write [^]*\n {2}drain initial/;
    assert.match(stdout, titles);
    assert.match(stdout, /write tasuki-test:v2 to \.env/);
    await assertAsBefore(project, were, release);
    assert.equal((await project.deployOk('history', '--json')).stdout, history);
  });

  it('that is good but ignores SIGTERM is deployed, and killed when the next one retires it', async (t) => {
    await project.deployOk('--image', 'tasuki-test:ignores-sigterm', '--drain-timeout', '5s');
    const [stubborn] = (await project.containers()).filter(({ image }) => image.endsWith(':ignores-sigterm'));
    const { stdout } = await project.deployOk('--image', 'tasuki-test:v2', '--drain-timeout', '5s');
    assert.match(stdout, /retire .*: \S+-app-\d+ ignored SIGTERM for 5 s and was killed/);
    const left = await project.containers();
    assert.ok(!left.some(({ id }) => id === stubborn?.id), 'it must be gone');
    t.diagnostic(stdout.split('\n').at(-1) ?? '');
  });

  it('costs no user a request: of all that were sent, none failed, none was lost, none was done twice', async (t) => {
    enough.resolve();
    const all = await result;
    t.diagnostic(all.judgement.summary);
    assertNothingLost(all, 2000);
  });

  it('that crashes when it is admitted is undone at once, not when a time limit is met', async () => {
    const [were, release] = [await scene(project), await project.answering()];
    const run = await project.deploy('--image', 'tasuki-test:crashes-when-admitted');
    assert.equal(run.exitCode, 1, run.stderr);
    assert.match(run.stderr, /the new release (ended by itself|did not stay up)/);
    assert.match(run.stderr, /last lines of \S+-app-\d+:[^]*fatal: out of luck/);
    assert.doesNotMatch(run.stderr, /limit:|dist\/deploy|run again with --verbose/);
    await assertAsBefore(project, were, release);
  });

  it('(control) a container, a lock or a line that is left over would be noticed', async () => {
    const [were, release] = [await scene(project), await project.answering()];
    const labels = ['--label', `com.docker.compose.project=${project.name}`];
    for (const name of [`${project.name}-deploy-lock`, `${project.name}-app-99`]) {
      const marks = name.endsWith('-lock') ? [] : labels;
      const id = await docker(['create', '--name', name, ...marks, 'tasuki-test:v1']);
      await assert.rejects(assertAsBefore(project, were, release), assert.AssertionError);
      await docker(['rm', '-f', id]);
    }
    await assert.rejects(assertAsBefore(project, [...were, 'TASUKI_IMAGE=other\n'], release));
    await assert.rejects(assertAsBefore(project, were, 'another release'), /another release/);
    await assertAsBefore(project, were, release);
  });
});
