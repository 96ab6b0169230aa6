import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { HttpError, messageOf, Unavailable } from '../errors.ts';
import type { Logger } from '../log.ts';
import { readBatch, retryBatch, startBatch } from './batches.ts';
import { createReplies, type Replies } from './gather.ts';
import type { Jobs } from './jobs.ts';
import { QUEUES, queueOptions } from './queues.ts';
import { openRedis, untilReady } from './redis.ts';

/** Redis is on the same network; who waits longer for it waits in vain. */
const CONNECT_MS = 1000;

/** What a web child holds while it uses the queues: two connections, the second from the first `/aggregate` on. */
interface Client {
  redis: Redis;
  subscriber: Redis;
  race: Queue;
  sources: Queue;
  replies: Replies;
}

/** Opens the queues for requests; rejects when Redis does not answer. */
export async function openJobs(url: string, log: Logger): Promise<Jobs> {
  const redis = openRedis(url, 'request', log);
  try {
    // BullMQ would keep for ever that the first attempt failed; what is lost later ioredis opens again.
    await untilReady(redis, CONNECT_MS);
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  const [race, sources] = QUEUES.map((name) => {
    const queue = new Queue(name, queueOptions(redis));
    queue.on('error', () => {}); // told where the connection is opened
    return queue;
  }) as [Queue, Queue];
  const subscriber = redis.duplicate({ lazyConnect: true, commandTimeout: undefined });
  subscriber.on('error', () => {});
  const client: Client = { redis, subscriber, race, sources, replies: createReplies(subscriber, sources) };
  return {
    gather: (asked, deadlineMs) => attempt(() => client.replies.gather(asked, deadlineMs)),
    startBatch: (wanted) => attempt(() => startBatch(redis, wanted)),
    readBatch: (id) => attempt(() => readBatch(race, id)),
    retryBatch: (id) => attempt(() => retryBatch(race, id)),
    queues: [race, sources],
    close() {
      subscriber.disconnect();
      redis.disconnect();
    },
  };
}

const LOST =
  /ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|Connection is closed|isn't writeable|timed out|max retries|OOM|LOADING/i;

/** A Redis that is gone or full is a reason to come again, not a fault of ours. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HttpError || !LOST.test(messageOf(error))) throw error;
    throw new Unavailable('the job queue', error);
  }
}
