import type { JobsOptions, QueueOptions } from 'bullmq';
import type { Redis } from 'ioredis';

/**
 * Two queues, so that who waits for an answer does not wait behind a batch: `race` holds what is done in the background,
 * `sources` what a request waits for.
 */
export const QUEUES = ['race', 'sources'] as const;
export type QueueName = (typeof QUEUES)[number];

/** All keys of the jobs begin with this. */
export const PREFIX = 'jobs';

const DAY = 24 * 3600;

/**
 * How a job of `race` is tried and how long it is kept: without bounds Redis fills up, and being durable (`noeviction`) it
 * then refuses every new job. Seconds and numbers of jobs.
 */
export const BACKGROUND: JobsOptions = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
  removeOnComplete: { age: DAY, count: 1000 },
  removeOnFail: { age: 14 * DAY, count: 1000 },
  stackTraceLimit: 3,
  keepLogs: 20,
};

/** A source is asked once, since the request does not wait longer, and its answer is not kept: it has been sent. */
export const SOURCE: JobsOptions = {
  attempts: 1,
  removeOnComplete: true,
  removeOnFail: { age: 3600, count: 100 },
  stackTraceLimit: 1,
};

/** Nobody reads the stream of events here but the dashboard and tests; its default is 10,000 for each queue. */
const MAX_EVENTS = 1000;

/** For every Queue: they share the connection of their process. */
export function queueOptions(connection: Redis): QueueOptions {
  return {
    connection,
    prefix: PREFIX,
    defaultJobOptions: BACKGROUND,
    streams: { events: { maxLen: MAX_EVENTS } },
  };
}
