import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildFixture, buildReleases, Project, type Run } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const KINDS = ['migrates', 'migration-fails', 'migration-breaks'];

describe('a release whose image knows more migrations than the one that serves', () => {
  let project: Project;
  before(async () => {
    await buildReleases();
    await Promise.all(KINDS.map((kind) => buildFixture(kind)));
    project = await Project.up('tasuki-test:v1', { hasty: true });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  async function tables(): Promise<string[]> {
    const query = await project.query();
    const rows = await query(
      'SELECT table_name AS t FROM information_schema.tables WHERE table_schema = DATABASE()',
    );
    return rows.map(({ t }) => String(t));
  }

  function detailOf({ events }: Run): string | undefined {
    const step = events.findLast((event) => event.type === 'step' && event.id === 'migrate');
    return step && 'detail' in step ? step.detail : undefined;
  }

  async function containersOfMigrations(): Promise<string[]> {
    return (await project.containers()).map(({ name }) => name).filter((name) => name.includes('-migrate-'));
  }

  it('is refused before anything is changed when its migrations take away what the serving one uses', async () => {
    const ids = async () => (await project.containers()).map(({ id, state }) => `${id} ${state}`);
    const untouched = await ids();
    const { exitCode, stderr } = await project.deploy('--image', 'tasuki-test:migration-breaks');
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /has taken away what it uses/);
    assert.deepEqual(await ids(), untouched);
  });

  it('is not started when its migration fails, which is shown; nothing is lost', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const { exitCode, stderr } = await project.deploy('--image', 'tasuki-test:migration-fails');
      assert.equal(exitCode, 1, stderr);
      assert.match(stderr, /the migration of the new release ended with exit code 1/);
      assert.match(stderr, /migration 0004-fixture\.sql, statement 1: .*nowhere/, 'its own words');
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
    assert.equal(await project.answering(), 'initial');
    assert.deepEqual(await containersOfMigrations(), []);
  });

  it('has its migration, corrected, done before it is started, and nothing is lost', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const run = await project.deployOk('--image', 'tasuki-test:migrates', '--json');
      assert.equal(detailOf(run), 'schema 3 to 4');
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
    assert.ok((await tables()).includes('weather'));
    assert.deepEqual(await containersOfMigrations(), []);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('of the same schema as the serving one has none to do, and an older one is warned of', async () => {
    assert.match(
      detailOf(await project.deployOk('--image', 'tasuki-test:migrates', '--json')) ?? '',
      /^left out: the release that serves knows schema 4$/,
    );
    const run = await project.deployOk('--image', 'tasuki-test:v1', '--json');
    const notices = run.events.flatMap((event) => (event.type === 'notice' ? [event.text] : []));
    assert.match(notices.join('\n'), /the database is at schema 4, and tasuki-test:v1 knows 3/);
    assert.ok((await tables()).includes('weather'), 'migrations only go forward');
  });
});
