import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '../support/containers.ts';
import { startJobs, type JobsStack } from '../support/jobs.ts';
import { cpuSeconds } from '../support/worker.ts';

/** The worker role on the real Redis and MySQL. */
void describe('workers', { timeout: 500_000 }, () => {
  let jobs: JobsStack;

  before(async () => {
    jobs = await startJobs({ JOB_LOCK_MS: '5000' });
  });
  after(async () => await jobs?.down());
  beforeEach(async () => await jobs.clear());

  void test('a worker that is stopped finishes what ends in time, and gives the rest back with no attempt spent', async () => {
    const worker = await jobs.started({ DRAIN_TIMEOUT_MS: '2000' });
    const data = { source: 'weather', fail: false, until: Date.now() + 600_000, channel: 'c', request: 'r' };
    const add = (delay: number) => jobs.sources.add('source', { ...data, delay });
    const [short, long] = await Promise.all([add(1000), add(300_000), add(300_000)]);
    await eventually('all run', async () => (await jobs.sources.getActiveCount()) === 3);
    worker.kill('SIGTERM');
    assert.equal(await worker.ended(), 0);
    const drained = /"drained, exiting".*"answered":(\d+),"cut":(\d+)/.exec(worker.output);
    assert.deepEqual(drained?.slice(1), ['1', '2'], worker.output);
    assert.equal(await short?.getState(), 'completed');
    const back = await jobs.sources.getJob(long?.id ?? '');
    assert.equal(await back?.getState(), 'waiting');
    assert.deepEqual([back?.attemptsMade, back?.attemptsStarted, back?.stalledCounter], [0, 1, 0]);
  });

  void test('children are replaced after so many jobs, and no job is lost or run twice', async () => {
    const worker = await jobs.started({ RECYCLE_REQUESTS: '100-150' });
    const first = await worker.children();
    for (let n = 0; n < 60; n++)
      await jobs.race.addBulk(
        Array.from({ length: 25 }, () => ({ name: 'cheer', data: { text: 'x', team: null } })),
      );
    await eventually(
      'both children are new and all is done',
      async () => {
        const now = await worker.children();
        const { waiting, active } = await jobs.race.getJobCounts();
        return !now.some((pid) => first.includes(pid)) && waiting === 0 && active === 0;
      },
      60_000,
    );
    const [runs] = await jobs.database.read<{ jobs: number; starts: string }>(
      "SELECT COUNT(*) AS jobs, SUM(starts) AS starts FROM job_runs WHERE name = 'cheer'",
    );
    const [rows] = await jobs.database.read<{ effects: number }>('SELECT COUNT(*) AS effects FROM cheers');
    assert.deepEqual([runs?.jobs, Number(runs?.starts), rows?.effects], [1500, 1500, 1500]);
  });

  void test('the race clock ticks once, however many workers there are', async (t) => {
    const clock = { RACE_CLOCK: '* * * * * *' };
    const former = await jobs.database.read<{ legs: number }>('SELECT COUNT(*) AS legs FROM times');
    await Promise.all([jobs.started(clock), jobs.started(clock), jobs.started(clock)]);
    const ticks = async () => {
      const rows = await jobs.database.read<{ id: string; starts: number }>(
        "SELECT id, starts FROM job_runs WHERE name = 'tick' AND finished_at IS NOT NULL ORDER BY id",
      );
      return rows;
    };
    await eventually('it has ticked six times', async () => (await ticks()).length >= 6, 30_000);
    await jobs.stopAll();
    const all = await ticks();
    const seconds = all.map(({ id }) => Number(id.split(':').at(-1)) / 1000);
    t.diagnostic(`${all.length} ticks in ${seconds.at(-1)! - seconds[0]! + 1} seconds, 6 children`);
    assert.equal(new Set(seconds).size, all.length);
    assert.ok(all.every(({ starts }) => starts === 1));
    assert.equal((await jobs.race.getJobSchedulers()).length, 1);
    const now = await jobs.database.read<{ legs: number }>('SELECT COUNT(*) AS legs FROM times');
    assert.equal(now[0]!.legs - former[0]!.legs, all.length, 'each tick is one row');
  });

  void test('each child runs as many jobs of a queue at the same time as it is told, and no more', async () => {
    await jobs.started({ JOB_CONCURRENCY: '3' });
    const data = { source: 'road', delay: 300_000, fail: false, channel: 'c', request: 'r' };
    const until = Date.now() + 600_000;
    for (let n = 0; n < 10; n++) await jobs.sources.add('source', { ...data, until });
    const counts = async (): Promise<[number?, number?]> => {
      const { active, waiting } = await jobs.sources.getJobCounts();
      return [active, waiting];
    };
    await eventually('both children are busy', async () => (await counts())[0] === 6);
    await wait(500); // what is measured is that nothing happens
    assert.deepEqual(await counts(), [6, 4]);
  });

  void test('a job that fails is tried again, later each time', async () => {
    await jobs.started();
    const { id = '' } = await jobs.race.add('statistics', { batch: 'b', team: 1, pause: 0, fail: 2 });
    const delays = new Map<number, number>();
    await eventually('it is done in the end', async () => {
      const job = await jobs.race.getJob(id);
      if (job && (await job.isDelayed())) delays.set(job.attemptsMade, job.delay);
      return await job?.isCompleted();
    });
    const [first = 0, second = 0] = [delays.get(1), delays.get(2)];
    assert.ok(first >= 500 && first <= 1000, `first after ${first} ms`);
    assert.ok(second >= 1000 && second <= 2000, `then after ${second} ms`);
  });

  void test('a delayed job begins after its delay, and is one job however often it was asked for', async () => {
    await jobs.started();
    await jobs.race.add('cheer', { text: 'x', team: 1 });
    await eventually('there is a cheer', async () => (await jobs.race.getCompletedCount()) === 1);
    for (let n = 0; n < 3; n++) await jobs.race.add('tick', {});
    await eventually('the clock has ticked', async () => (await jobs.race.getCompletedCount()) === 4);
    assert.equal(await jobs.race.getDelayedCount(), 1);
    await eventually('the cheers are counted', async () => (await jobs.race.getDelayedCount()) === 0);
    const digest = await eventually('it is done', async () => {
      const [newest] = await jobs.race.getCompleted(0, 0);
      return newest?.name === 'digest' ? newest : null;
    });
    assert.ok(digest.processedOn! - digest.timestamp >= 10_000);
    assert.equal((digest.returnvalue as { total: number }).total, 1);
  });

  void test('an idle worker uses next to no CPU, and Redis neither', async (t) => {
    const worker = await jobs.started();
    await jobs.race.add('cheer', { text: 'x', team: null });
    await eventually('it has worked', async () => (await jobs.race.getCompletedCount()) === 1);
    const pids = [worker.process.pid ?? 0, ...(await worker.children())];
    const redisSeconds = async (): Promise<number> => {
      const text = await jobs.redis.info('cpu');
      const used = (name: string): number => Number(new RegExp(`${name}:([\\d.]+)`).exec(text)?.[1]);
      return used('used_cpu_user') + used('used_cpu_sys');
    };
    await wait(2000); // what began with it settles
    const read = async (): Promise<[number, number]> => [
      pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
      await redisSeconds(),
    ];
    const [then, began] = [await read(), performance.now()];
    await wait(20_000); // what is measured is that nothing happens
    const [now, seconds] = [await read(), (performance.now() - began) / 1000];
    const percent = (index: 0 | 1): number => ((now[index] - then[index]) / seconds) * 100;
    t.diagnostic(
      `idle: worker (3 processes) ${percent(0).toFixed(2)} %, Redis ${percent(1).toFixed(2)} % of a core`,
    );
    assert.ok(percent(0) < 1.5 && percent(1) < 1);
    const mine = String(await jobs.redis.client('LIST')).match(/name=(tasuki-worker|jobs:)/g) ?? [];
    assert.equal(mine.length, 6, 'three connections for each of two children');
  });
});
