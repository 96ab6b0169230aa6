import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Report } from '../../deployer/store/report.ts';
import { eventually } from '../support/containers.ts';
import { buildReleases, Project, type Run } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

/** Notes how it was called, then does what the test has laid down for this hook. */
const HOOK = `
cat >> calls.jsonl
env | grep ^DEPLOY_ | sort > "env.$DEPLOY_HOOK"
echo "said by $DEPLOY_HOOK"
[ ! -e "act.$DEPLOY_HOOK" ] || exec sh "act.$DEPLOY_HOOK"
`;
const NAMES = ['pre-deploy', 'post-admit', 'post-deploy', 'on-failure', 'on-rollback'];
const DEADLINE = '2s';
/** Leaves a process that ignores SIGTERM, and never ends itself. */
const HANGS = `(trap '' TERM; echo $(exec sh -c 'echo $PPID') > child.pid; while :; do sleep 1; done) &
trap '' TERM; echo hanging; while :; do sleep 1; done`;

interface Call {
  v: number;
  hook: string;
  release: string;
  previousRelease: string | null;
  image: string;
  performer: string;
  outcome: string | null;
  error: { code: string; message: string } | null;
}

describe('the operator', () => {
  let project: Project;
  let good: string[];
  before(async () => {
    good = await buildReleases('v2', 'v3');
    const hooks = NAMES.map((name) => `    ${name}: { command: sh hook.sh, timeout: ${DEADLINE} }\n`).join(
      '',
    );
    project = await Project.up('tasuki-test:v1', {
      edit: (text) => text.replace(/^x-deploy:.*\n/m, (line) => `${line}  hooks:\n${hooks}`),
      hasty: true,
    });
    await writeFile(join(project.folder, 'hook.sh'), HOOK);
  });
  after(async () => await project?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    for (const file of ['calls.jsonl', 'child.pid', ...NAMES.map((name) => `act.${name}`)])
      await rm(join(project.folder, file), { force: true });
  });

  const act = async (hook: string, script: string): Promise<void> =>
    await writeFile(join(project.folder, `act.${hook}`), script);
  async function calls(): Promise<Call[]> {
    const text = await project.read('calls.jsonl').catch(() => '');
    return text.split('\n').flatMap((line) => (line ? [JSON.parse(line) as Call] : []));
  }
  const called = async (): Promise<string[]> => (await calls()).map(({ hook }) => hook);
  /** Every container of the app, hidden and stopped ones too, and what Compose would start. */
  const scene = async (): Promise<string[]> => [
    ...(await project.containers()).map(({ id, name, state }) => `${name} ${id} ${state}`).toSorted(),
    await project.read('.env'),
  ];
  const stepsOf = ({ events }: Run): string[] =>
    events.flatMap((event) =>
      event.type === 'step' && event.status !== 'start' ? [`${event.id} ${event.status}`] : [],
    );
  async function reportOf({ stderr }: Run): Promise<Report> {
    const [, path = ''] = /^report: (.*)$/m.exec(stderr) ?? assert.fail(`no report is named in: ${stderr}`);
    return JSON.parse(await readFile(path, 'utf8')) as Report;
  }
  async function assertChildGone(): Promise<void> {
    const pid = (await project.read('child.pid')).trim();
    assert.match(pid, /^\d+$/);
    const gone = async (): Promise<boolean> =>
      await readFile(`/proc/${pid}/stat`, 'utf8').then(
        (stat) => / Z /.test(stat),
        () => true,
      );
    await eventually(`process ${pid} of the hook is gone`, gone, 5000);
  }

  it('has hooks run in the order of a deploy, and they are told who, what, and how it ended', async () => {
    const from = await project.answering();
    const { stdout, exitCode } = await project.spawnDeploy(['--image', good[0] ?? '', '--json'], {
      TASUKI_PERFORMER: 'ci 7',
    });
    assert.equal(exitCode, 0, stdout);
    const release = await project.answering();
    const all = await calls();
    assert.deepEqual(
      all.map(({ hook, outcome }) => [hook, outcome]),
      [
        ['pre-deploy', null],
        ['post-admit', null],
        ['post-deploy', 'done'],
      ],
    );
    for (const call of all) {
      const { v, previousRelease, image, performer, error } = call;
      assert.deepEqual([v, call.release, previousRelease, image], [1, release, from, good[0]]);
      assert.deepEqual([performer, error], ['ci 7', null]);
      const env = await project.read(`env.${call.hook}`);
      for (const [name, value] of Object.entries({
        HOOK: call.hook,
        RELEASE: release,
        PREVIOUS_RELEASE: from,
        IMAGE: image,
        PERFORMER: performer,
        PROJECT: project.name,
        OUTCOME: call.outcome ?? '',
      }))
        assert.ok(env.split('\n').includes(`DEPLOY_${name}=${value}`), `${name}=${value} in ${env}`);
    }
    const events = stdout.split('\n').map((line) => JSON.parse(line) as Run['events'][number]);
    const at = (id: string, status: string): number =>
      events.findIndex((event) => event.type === 'step' && event.id === id && event.status === status);
    const order = [
      at('hook:pre-deploy', 'done'),
      at('create', 'start'),
      at('confirm', 'done'),
      at('hook:post-admit', 'start'),
      at('hook:post-admit', 'done'),
      at('promote', 'start'),
      at('hook:post-deploy', 'done'),
      events.findIndex(({ type }) => type === 'end'),
    ];
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.ok(order.every((index) => index >= 0));
    const said = events.flatMap((event) => (event.type === 'output' ? [event.text] : []));
    assert.deepEqual(said, ['said by pre-deploy', 'said by post-admit', 'said by post-deploy']);
    assert.match(
      await project.read(`state/${project.name}/journal.jsonl`),
      /"type":"output","hook":"pre-deploy"/,
    );
    assert.deepEqual(await project.upChanges(), []);
  });

  it('whose pre-deploy fails has nothing changed: exit code 1, its last words, and the run on record', async () => {
    await act('pre-deploy', 'echo the backup is full >&2; exit 7');
    const [were, release] = [await scene(), await project.answering()];
    const run = await project.deploy('--image', good[1] ?? '');
    assert.equal(run.exitCode, 1);
    assert.match(run.stderr, /^error: the hook pre-deploy failed: exit code 7$/m);
    assert.match(run.stderr, /^ {2}step: {2}run the hook pre-deploy$/m);
    assert.match(run.stderr, /^ {2}\| +the backup is full$/m);
    assert.match(run.stderr, /^ {2}undone: nothing/m);
    assert.deepEqual([await scene(), await project.answering()], [were, release]);
    const [, failure, ...more] = await calls();
    assert.deepEqual(
      [failure?.hook, failure?.outcome, failure?.error?.code],
      ['on-failure', 'failed', 'HOOK_FAILED'],
    );
    assert.deepEqual(more, []);
    const report = await reportOf(run);
    assert.deepEqual([report.version, report.outcome, report.exit], [1, 'failed', 1]);
    assert.equal(report.plan?.reversible[0]?.id, 'hook:pre-deploy');
    assert.deepEqual(
      report.steps.map(({ id, status }) => `${id} ${status}`),
      ['hook:pre-deploy failed'],
    );
    assert.match(report.error?.evidence?.join('\n') ?? '', /the backup is full/);
  });

  it('whose post-admit fails has the release taken back without a lost request, and is shown all there is', async (t) => {
    await act('post-admit', 'echo the figures look odd; exit 1');
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const [were, release] = [await scene(), await project.answering()];
      const run = await project.deploy('--image', good[1] ?? '');
      assert.equal(run.exitCode, 1);
      assert.match(run.stderr, /^error: the hook post-admit failed: exit code 1$/m);
      assert.match(run.stderr, /^ {2}step: {2}run the hook post-admit$/m);
      assert.match(run.stderr, /\| +the figures look odd[^]*\| last lines of \S+-app-\d+:/);
      assert.match(run.stderr, /^ {2}undone: see it answer through the proxy; admit .*; start .*; create /m);
      assert.match(run.stdout, /sent \d+, failed 0, slowest/);
      assert.deepEqual([await scene(), await project.answering()], [were, release]);
      assert.deepEqual(await called(), ['pre-deploy', 'post-admit', 'on-failure']);
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
    const users = Object.keys(result.report.byRelease);
    assert.equal(
      users.length,
      2,
      `(control) the release that was taken back must have had users: ${users.join(', ')}`,
    );
  });

  it('whose hook hangs has it ended at its deadline, with its children', async () => {
    await act('pre-deploy', HANGS);
    const were = await scene();
    const { exitCode, stderr } = await project.deploy('--image', good[1] ?? '');
    assert.equal(exitCode, 1);
    assert.match(stderr, /^error: the hook pre-deploy failed: it took longer than 2\.0 s$/m);
    assert.match(stderr, /^ {2}limit: 2\.0 s$/m);
    assert.match(stderr, /^ {2}\| +hanging$/m);
    await assertChildGone();
    assert.deepEqual(await scene(), were);
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGKILL', undefined],
  ] as const) {
    it(`who ends the command with ${signal} ends its hook, with its children`, async () => {
      await act('pre-deploy', HANGS);
      const were = await scene();
      const running = project.spawnDeploy(['--image', good[1] ?? '']);
      await eventually('the hook runs', async () => (await project.read('child.pid').catch(() => '')) !== '');
      running.kill(signal);
      assert.equal((await running).exitCode, code);
      await assertChildGone();
      assert.deepEqual(await scene(), were);
      await project.deploy('unlock', '--yes');
    });
  }

  it('whose post-deploy fails is warned, and the deploy is done all the same', async () => {
    await act('post-deploy', 'echo nobody to tell; exit 1');
    const was = await project.answering();
    const { stdout, stderr } = await project.deployOk('--image', good[1] ?? '');
    assert.match(stderr, /^warning: the hook post-deploy failed: exit code 1$/m);
    assert.match(stdout, /^ {4}nobody to tell$/m);
    assert.match(stdout, /serves; all done in/);
    assert.notEqual(await project.answering(), was);
  });

  it('has on-rollback run after a rollback, which waits for no hook before', async () => {
    const run = await project.deployOk('rollback', '--json');
    assert.deepEqual(await called(), ['on-rollback']);
    const [call] = await calls();
    assert.deepEqual([call?.outcome, call?.release], ['done', await project.answering()]);
    assert.equal(stepsOf(run).at(-1), 'hook:on-rollback done');
  });

  it('has no hook run with --no-hooks', async () => {
    const run = await project.deployOk('--image', good[1] ?? '', '--no-hooks', '--json');
    assert.deepEqual(await called(), []);
    assert.ok(!stepsOf(run).some((step) => step.startsWith('hook:')));
  });
});
