import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

/** What the watch said of the release that it let stay. */
const STAYS = /watch \S+ for \S+ s \(.*\): (\d+) answers, (\d+) errors; half within \S+ ms, before \S+ ms/;

describe('a release that serves is watched for a time', { timeout: 600_000 }, () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2');
    await Promise.all(['some-errors', 'slow'].map((kind) => buildFixture(kind)));
    project = await Project.up('tasuki-test:v1');
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  it('and stays when it does as well as the one before: nothing is lost', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      for (const image of ['tasuki-test:v2', 'tasuki-test:v1']) {
        const { stdout } = await project.deployOk('--image', image, '--watch', '4s');
        const [said = '', answers] = STAYS.exec(stdout) ?? assert.fail(stdout);
        assert.ok(Number(answers) > 300, said);
        t.diagnostic(said);
      }
    });
    assertNothingLost(result);
  });

  it('and stays without anybody who asks for it', async () => {
    const { stdout } = await project.deployOk('--image', 'tasuki-test:v2', '--watch', '1s');
    assert.match(stdout, /watch \S+ for 1\.0 s/);
  });

  it('and is taken back when one answer in twenty is an error: only those were hurt, and nothing is lost', async (t) => {
    const former = await project.answering();
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 600, 30_000);
      const run = await project.deploy('--image', 'tasuki-test:some-errors', '--watch', '20s');
      assert.equal(run.exitCode, 1, run.stderr);
      assert.match(
        run.stderr,
        /does worse than the old one: \d+ of \d+ answers were errors \(\d+\.\d %\); of the old release's \d+: 0 \(0\.0 %\)/,
      );
      assert.match(run.stderr, /did worse and is taken back: the release before serves again/);
      assert.match(run.stderr, new RegExp(`serves: release ${former}`));
      assert.equal(await project.answering(), former);
      const { answered } = await load.counters();
      await load.until((now) => now.answered > answered + 300, 30_000);
      t.diagnostic(run.stderr.split('\n').find((line) => line.startsWith('error:')) ?? '');
    });
    const { report, judgement, kernel } = result;
    assert.deepEqual(kernel, []);
    assert.deepEqual(Object.keys(report.byError), ['http-500'], judgement.summary);
    assert.equal(judgement.duplicated.length + judgement.missing.length, 0, judgement.summary);
    t.diagnostic(`${report.failed} of ${report.sent} requests hurt`);
    const { instances } = await project.status();
    assert.deepEqual(
      instances.map(({ release }) => release),
      [former],
      'the worse one is not kept',
    );
    assert.deepEqual(await project.upChanges(), []);
  });

  it('and is not what a rollback goes to afterwards', async () => {
    const { stdout } = await project.deployOk('rollback', '--dry-run');
    assert.match(stdout, /create a container of tasuki-test:v1|admit/);
    assert.doesNotMatch(stdout, /some-errors/);
  });

  it('and is taken back when it is several times slower: nothing is lost', async (t) => {
    const former = await project.answering();
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 600, 30_000);
      const run = await project.deploy('--image', 'tasuki-test:slow', '--watch', '20s');
      assert.equal(run.exitCode, 1, run.stderr);
      assert.match(
        run.stderr,
        /half of \d+ answers took longer than \d+ ms; of the old release's \d+: \S+ ms/,
      );
      t.diagnostic(run.stderr.split('\n').find((line) => line.startsWith('error:')) ?? '');
    });
    assertNothingLost(result);
    assert.equal(await project.answering(), former);
  });

  it('(control) and not with --watch 0s: the same release stays', async () => {
    await project.deployOk('--image', 'tasuki-test:slow', '--watch', '0s');
    const { instances, record } = await project.status();
    assert.equal(instances.find((one) => one.release === record?.serving)?.state?.phase, 'serving');
    const serving = (await project.containers()).filter((one) => one.image === 'tasuki-test:slow');
    assert.equal(serving.length, 1);
  });
});
