import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { QueueEvents } from 'bullmq';
import { PREFIX } from '../../app/jobs/queues.ts';
import { ALL } from '../support/all.ts';
import { docker, eventually } from '../support/containers.ts';
import { startJobs, type JobsStack } from '../support/jobs.ts';

const JOBS = ALL ? 10_000 : 3000;
const CARELESS = join(import.meta.dirname, '../fixtures/careless-worker.ts');

/** Background jobs on the real Redis and MySQL while their workers die. */
void describe('jobs while workers are stopped, killed and replaced', { timeout: 540_000 }, () => {
  let jobs: JobsStack;

  before(async () => {
    jobs = await startJobs();
  });
  after(async () => await jobs?.down());
  beforeEach(async () => await jobs.clear());

  async function add(count: number): Promise<void> {
    const all = Array.from({ length: count }, (_, n) => ({
      name: 'cheer',
      data: { text: `cheer ${n}`, team: null },
      opts: { jobId: `cheer-${n}` },
    }));
    for (let from = 0; from < count; from += 1000) await jobs.race.addBulk(all.slice(from, from + 1000));
  }

  async function done(count: number, deadlineMs: number): Promise<void> {
    await eventually(
      `all ${count} are done`,
      async () => {
        const { waiting, active, delayed, failed } = await jobs.race.getJobCounts();
        assert.equal(failed, 0);
        return waiting === 0 && active === 0 && delayed === 0;
      },
      deadlineMs,
    );
  }

  /** What the database knows of effects and runs. */
  async function account() {
    const [effects] = await jobs.database.read<{ jobs: number; effects: number }>(
      'SELECT COUNT(DISTINCT id) AS jobs, COUNT(*) AS effects FROM cheers',
    );
    const [runs] = await jobs.database.read<Record<string, number | string>>(
      `SELECT COUNT(*) AS jobs, SUM(starts) AS starts, SUM(starts > 1) AS twice, SUM(stalled) AS stalled,
         SUM(retried) AS retried, SUM(handed_back) AS handedBack, SUM(skipped) AS skipped,
         SUM(finished_at IS NULL) AS unfinished,
         SUM(CAST(starts AS SIGNED) - 1 > stalled + retried + handed_back) AS unexplained FROM job_runs`,
    );
    const numbers = Object.entries(runs ?? {}).map(([name, value]) => [name, Number(value)] as const);
    return { effects: effects!, runs: Object.fromEntries(numbers) as Record<string, number> };
  }

  /** Kills one thing after the other until `over`; answers how often each. */
  async function havoc(over: () => Promise<boolean>, main?: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (let n = 0; !(await over()); n++) {
      const victims = jobs.running();
      const victim = victims[n % victims.length]!;
      const children = await victim.children();
      const way = ['kill child', 'stop', 'kill child', 'kill supervisor'][n % 4]!;
      counts[way] = (counts[way] ?? 0) + 1;
      const child = children[n % Math.max(1, children.length)];
      if (way === 'kill child' && child) process.kill(child, 'SIGKILL');
      if (way === 'stop') victim.kill('SIGTERM');
      if (way === 'kill supervisor') victim.kill('SIGKILL');
      if (way !== 'kill child') jobs.start({ DRAIN_TIMEOUT_MS: '20' }, main);
      const { length } = await jobs.race.getCompleted();
      await eventually('the jobs go on', async () => {
        return (
          (await over()) ||
          (await jobs.race.getCompletedCount()) !== length ||
          (await jobs.race.getActiveCount()) > 0
        );
      });
      await wait(Math.random() * 1500); // at random: no state to wait for
    }
    return counts;
  }

  void test(`${JOBS} jobs are done, none lost, each effect once, and every run beyond the first has its reason`, async (t) => {
    const events = new QueueEvents('race', { connection: jobs.redis, prefix: PREFIX });
    let stalls = 0;
    events.on('stalled', () => (stalls += 1));
    await events.waitUntilReady();
    try {
      await add(JOBS);
      const began = performance.now();
      for (const worker of [jobs.start({ DRAIN_TIMEOUT_MS: '20' }), jobs.start({ DRAIN_TIMEOUT_MS: '20' })])
        await worker.takesJobs();
      const over = async (): Promise<boolean> => (await jobs.race.getWaitingCount()) === 0;
      const kills = await havoc(over);
      await done(JOBS, 120_000);
      const ms = Math.round(performance.now() - began);
      const { effects, runs } = await account();
      t.diagnostic(
        `${JOBS} jobs in ${ms} ms; ${JSON.stringify(kills)}; ${stalls} stalls; ${JSON.stringify(runs)}`,
      );
      assert.deepEqual({ ...effects }, { jobs: JOBS, effects: JOBS });
      assert.equal(runs.jobs, JOBS);
      assert.equal(runs.unfinished, 0);
      assert.equal(runs.unexplained, 0, 'a job ran again for no reason');
      assert.equal(runs.stalled, stalls, 'the reasons are those the queue told');
      assert.ok(runs.twice! > 0, 'no kill has hit a running job: this test is blind');
      assert.equal(runs.retried, 0);
    } finally {
      await events.close();
    }
  });

  void test('(control) without the key the same deaths make effects happen twice', async (t) => {
    await add(1000);
    for (const worker of [jobs.start({}, CARELESS), jobs.start({}, CARELESS)]) await worker.takesJobs();
    const kills = await havoc(async () => (await jobs.race.getWaitingCount()) === 0, CARELESS);
    await done(1000, 120_000);
    const { effects } = await account();
    t.diagnostic(`${JSON.stringify(kills)}: ${effects.effects} effects of ${effects.jobs} jobs`);
    assert.equal(effects.jobs, 1000);
    assert.ok(effects.effects > 1000, 'nothing happened twice: the other test proves nothing');
  });

  void test('(control) without any death no job runs twice', async () => {
    await add(1000);
    await jobs.start().takesJobs();
    await done(1000, 60_000);
    const { effects, runs } = await account();
    assert.deepEqual({ ...effects }, { jobs: 1000, effects: 1000 });
    assert.deepEqual([runs.starts, runs.stalled, runs.handedBack], [1000, 0, 0]);
  });

  void test('jobs survive the death of Redis, and workers find it again', async (t) => {
    await add(3000);
    await jobs.start().takesJobs();
    const run = async (): Promise<string> => /run_id:(\w+)/.exec(await jobs.redis.info('server'))?.[1] ?? '';
    const former = await run();
    await eventually('some are done', async () => (await jobs.race.getCompletedCount()) > 100);
    const container = await jobs.stack.container('redis');
    await docker(['kill', container]);
    await docker(['start', container]);
    await eventually('Redis answers', () => jobs.redis.ping());
    await done(3000, 90_000);
    const { effects, runs } = await account();
    t.diagnostic(JSON.stringify(runs));
    assert.deepEqual({ ...effects }, { jobs: 3000, effects: 3000 });
    assert.equal(runs.unexplained, 0);
    assert.notEqual(await run(), former, 'it is the same Redis: this test is blind');
  });
});
