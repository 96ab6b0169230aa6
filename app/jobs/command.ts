import { Queue, type Job } from 'bullmq';
import { createLogger } from '../log.ts';
import { QUEUES, queueOptions } from './queues.ts';
import { openRedis, untilReady } from './redis.ts';

const CONNECT_MS = 5000;
const USAGE = `usage: node main.js jobs <command>
  counts             how many jobs there are, by queue and state
  failed             the failed jobs, newest first, one JSON line each
  retry <id> | all   lets a failed job, or all of them, be done again
`;

/** What an operator asks about the jobs; writes to `out` and answers the exit code. */
export async function runCommand(
  url: string,
  [command, id]: string[],
  out: { write(text: string): unknown },
): Promise<number> {
  const known = command === 'counts' || command === 'failed' || (command === 'retry' && id !== undefined);
  if (!known) {
    out.write(USAGE);
    return 2;
  }
  const redis = openRedis(url, 'request', createLogger('silent', {}));
  const print = (value: object): void => void out.write(`${JSON.stringify(value)}\n`);
  try {
    await untilReady(redis, CONNECT_MS);
    const queues = QUEUES.map((name) => new Queue(name, { ...queueOptions(redis), skipMetasUpdate: true }));
    if (command === 'counts')
      for (const queue of queues) print({ queue: queue.name, ...(await queue.getJobCounts()) });
    else if (command === 'failed')
      for (const queue of queues) for (const job of await queue.getFailed()) print(describe(job));
    else return await retry(queues, id ?? '', print);
    return 0;
  } finally {
    redis.disconnect();
  }
}

/** Puts failed jobs back into their queues; 1 when there is no such job. */
async function retry(queues: Queue[], id: string, print: (value: object) => void): Promise<number> {
  let found = 0;
  for (const queue of queues) {
    const jobs = id === 'all' ? await queue.getFailed() : [await queue.getJob(id)];
    for (const job of jobs) {
      if (!job || !(await job.isFailed())) continue;
      await job.retry('failed');
      print({ retried: job.id, name: job.name });
      found += 1;
    }
  }
  if (found === 0 && id !== 'all') print({ error: `there is no failed job ${id}` });
  return found > 0 || id === 'all' ? 0 : 1;
}

function describe(job: Job): object {
  const { id, name, queueName: queue, failedReason: reason, attemptsMade, finishedOn, data } = job;
  const at = finishedOn === undefined ? null : new Date(finishedOn).toISOString();
  return { queue, id, name, reason, attempts: attemptsMade, at, data };
}
