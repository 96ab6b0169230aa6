import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../support/containers.ts';
import { buildFixture, buildReleases, Project, type Run } from '../support/project.ts';
import { assertNothingLost, SATURATING, STEADY, underLoad, type LoadResult } from '../support/under-load.ts';

/** Listening sockets on the app's port (0BB8) by the pod's own tables. */
async function listeners(project: Project): Promise<number> {
  const [pod] = await project.containers('pod');
  const table = await docker(['exec', pod?.id ?? '', 'cat', '/proc/net/tcp']);
  return table.split('\n').filter((line) => / \w+:0BB8 \w+:\w+ 0A /.test(line)).length;
}

/** What each comparison said, by its step. */
function compared({ events }: Run): Map<string, string> {
  const done = events.filter((event) => event.type === 'step' && event.status === 'done');
  return new Map(
    done.flatMap((event) => ('detail' in event && event.detail ? [[event.id, event.detail]] : [])),
  );
}

describe('a release that is admitted in shares', { timeout: 600_000 }, () => {
  let project: Project;
  let usual: number;
  before(async () => {
    await buildReleases('v2', 'v3');
    await Promise.all(['some-errors', 'slow'].map((kind) => buildFixture(kind)));
    project = await Project.up('tasuki-test:v1');
    usual = await listeners(project);
    assert.ok(usual > 0);
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  async function deploys(...args: string[]): Promise<{ run: Run; result: LoadResult }> {
    let run: Run | undefined;
    const load = args.includes('tasuki-test:v2') ? SATURATING : STEADY;
    const result = await underLoad(project, load, async (running) => {
      await running.until(({ answered }) => answered > 600, 30_000);
      run = await project.deploy('--json', ...args);
    });
    assert.ok(run);
    return { run, result };
  }

  it('gets about its share of the requests at each step, and all in the end: nothing is lost', async (t) => {
    const { run, result } = await deploys('--image', 'tasuki-test:v2', '--steps', '10,50', '--for', '4s');
    assert.equal(run.exitCode, 0, run.stdout);
    assertNothingLost(result);
    for (const percent of [10, 50]) {
      const said = compared(run).get(`canary:${percent}`) ?? '';
      const found = Number(/\((\S+) %\)/.exec(said)?.[1]);
      t.diagnostic(`${percent} %: ${said}`);
      // Of requests, not of connections: those that the proxy keeps are only renewed as they go.
      assert.ok(found > percent / 3 && found < percent * 2, said);
    }
    assert.equal(await listeners(project), usual);
    assert.deepEqual(await project.upChanges(), []);
  });

  for (const [image, says] of [
    ['some-errors', /\d+ of \d+ answers were errors/],
    ['slow', /half of \d+ answers took longer than/],
  ] as const) {
    it(`goes when it does worse than the old one beside it (${image}): at most 2 % of the requests were hurt`, async (t) => {
      const former = await project.answering();
      const { run, result } = await deploys(
        '--image',
        `tasuki-test:${image}`,
        '--canary',
        '10%',
        '--for',
        '30s',
      );
      assert.equal(run.exitCode, 1, run.stdout);
      const error = run.events.find((event) => event.type === 'error');
      assert.match(error?.error.what ?? '', says);
      const { report, judgement, kernel } = result;
      t.diagnostic(`${error?.error.what}; ${report.failed} of ${report.sent} requests hurt`);
      assert.ok(
        Object.keys(report.byError).every((kind) => kind === 'http-500'),
        judgement.summary,
      );
      assert.ok(report.failed <= report.sent * 0.02, judgement.summary);
      assert.deepEqual([judgement.duplicated, judgement.missing, kernel], [[], [], []]);
      assert.equal(await project.answering(), former);
      assert.equal(await listeners(project), usual);
      assert.deepEqual(await project.upChanges(), []);
    });
  }

  it('leaves by itself when the deployer is killed while it compares: nothing is lost', async () => {
    const former = await project.answering();
    const result = await underLoad(project, STEADY, async () => {
      const deploy = project.spawnDeploy([
        '--json',
        '--image',
        'tasuki-test:v3',
        '--canary',
        '20',
        '--for',
        '60s',
      ]);
      for await (const line of createInterface({ input: deploy.stdout })) {
        if (line.includes('"canary:20"') && line.includes('"start"')) break;
      }
      assert.ok((await listeners(project)) > usual, 'both must be listening');
      deploy.kill('SIGKILL');
      await deploy;
      const back = async (): Promise<boolean> => (await listeners(project)) === usual;
      await eventually('the old release alone has the port, as usual', back, 30_000);
      assert.equal(await project.answering(), former);
      await project.deployOk('--image', 'tasuki-test:v3');
    });
    assertNothingLost(result);
  });
});
