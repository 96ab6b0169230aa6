import { randomUUID } from 'node:crypto';
import { FlowProducer, type Job, type Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { carried, cause } from '../observe/context.ts';
import type { BatchState, WantedBatch } from './jobs.ts';
import type { StatisticsData } from './kinds/statistics.ts';
import { BACKGROUND, PREFIX } from './queues.ts';

/**
 * Puts a batch and its parts, one for each team, into the queue at once: all of them or none. The parent runs when every part is
 * done; a part that failed for good holds it up until somebody lets it be done again.
 */
export async function startBatch(redis: Redis, { teams, pause, fail }: WantedBatch): Promise<string> {
  const flows = new FlowProducer({ connection: redis, prefix: PREFIX });
  const id = `batch-${randomUUID()}`;
  const [trace, caused] = [carried(), cause()];
  const attempts = BACKGROUND.attempts ?? 1;
  const children = teams.map((team) => ({
    name: 'statistics',
    queueName: 'race',
    data: { batch: id, team, pause, fail: team === fail ? attempts : 0, ...caused } satisfies StatisticsData,
    opts: { ...BACKGROUND, ...trace, jobId: `${id}-${team}` },
  }));
  await flows.add({
    name: 'batch',
    queueName: 'race',
    data: { teams, ...caused },
    opts: { ...BACKGROUND, ...trace, jobId: id },
    children,
  });
  return id;
}

/** How far a batch is; null when it is not there, or is no batch. */
export async function readBatch(race: Queue, id: string): Promise<BatchState | null> {
  const { state, job } = await readJob(race, id);
  if (job?.name !== 'batch') return null;
  const { teams } = job.data as { teams: number[] };
  const parts = await openParts(race, job);
  const open = parts.map((part) => ({
    team: (part.job.data as StatisticsData).team,
    state: part.state,
    // What a run that failed had done is to be done again.
    percent: part.state === 'active' && typeof part.job.progress === 'number' ? part.job.progress : 0,
    attempts: part.job.attemptsMade,
    reason: part.job.failedReason ?? null,
  }));
  const done = teams.length - open.length;
  const shares = done * 100 + open.reduce((sum, { percent }) => sum + percent, 0);
  return {
    id,
    state,
    total: teams.length,
    done,
    failed: open.filter((part) => part.state === 'failed').length,
    percent: teams.length === 0 ? 100 : Math.floor(shares / teams.length),
    open: open.toSorted((a, b) => a.team - b.team),
    result: state === 'completed' ? (job.returnvalue as unknown) : null,
  };
}

/** Puts the failed parts back into the queue; answers how many. */
export async function retryBatch(race: Queue, id: string): Promise<number> {
  const job = await race.getJob(id);
  if (job?.name !== 'batch') return 0;
  let retried = 0;
  for (const part of await openParts(race, job)) {
    if (part.state !== 'failed') continue;
    await part.job.retry('failed');
    retried += 1;
  }
  return retried;
}

interface Read<J> {
  /** BullMQ's word. */
  state: string;
  job: J;
}

/**
 * A job and its state. They are two reads, and a worker goes on meanwhile: the state comes first, so that the job is as new or newer,
 * and one that is called completed has its result, one that is called failed its reason.
 */
async function readJob(race: Queue, id: string): Promise<Read<Job | undefined>> {
  const state = await race.getJobState(id);
  return { state, job: await race.getJob(id) };
}

async function openParts(race: Queue, batch: Job): Promise<Read<Job>[]> {
  const { unprocessed = [] } = await batch.getDependencies({ unprocessed: { count: 1000 } });
  const ids = unprocessed.map((key) => key.slice(key.lastIndexOf(':') + 1));
  const parts = await Promise.all(ids.map((part) => readJob(race, part)));
  return parts.filter((part): part is Read<Job> => part.job !== undefined);
}
