import { randomUUID } from 'node:crypto';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { carried, cause } from '../observe/context.ts';
import type { Asked, Gathered } from './jobs.ts';
import type { SourceData, SourceReply } from './kinds/source.ts';
import { SOURCE } from './queues.ts';

export interface Replies {
  /** Asks all sources at the same time and answers what came within the deadline (milliseconds). */
  gather(asked: Asked[], deadlineMs: number): Promise<Gathered>;
}

interface Waiting {
  values: Record<string, unknown>;
  failed: Map<string, string>;
  open: Set<string>;
  complete: () => void;
}

/**
 * Gathers the answers of jobs on one channel of this process. Each answer is one message to the one process that waits for it; BullMQ's
 * own QueueEvents would bring every event of every job to every process. Nothing is kept in Redis: a message nobody waits
 * for is gone, an answered job is removed by its worker, an unanswered one here.
 */
export function createReplies(subscriber: Redis, queue: Queue): Replies {
  const channel = `jobs:replies:${randomUUID()}`;
  const waiting = new Map<string, Waiting>();
  let listening: Promise<unknown> | null = null;

  subscriber.on('message', (_channel: string, text: string) => {
    const reply = JSON.parse(text) as SourceReply;
    const request = waiting.get(reply.request);
    if (!request?.open.delete(reply.source)) return; // late, or a second time
    if ('error' in reply) request.failed.set(reply.source, reply.error);
    else request.values[reply.source] = reply.value;
    if (request.open.size === 0) request.complete();
  });

  async function listen(): Promise<void> {
    listening ??= (async () => {
      if (subscriber.status === 'wait') await subscriber.connect();
      await subscriber.subscribe(channel);
    })();
    try {
      await listening;
    } catch (error) {
      listening = null;
      throw error;
    }
  }

  return {
    async gather(asked, deadlineMs) {
      const start = performance.now();
      await listen();
      const request = randomUUID();
      const { promise, resolve } = Promise.withResolvers<void>();
      const open = new Set(asked.map(({ source }) => source));
      const mine: Waiting = { values: {}, failed: new Map(), open, complete: resolve };
      waiting.set(request, mine);
      const timer = setTimeout(resolve, deadlineMs);
      try {
        const until = Date.now() + deadlineMs;
        const [trace, caused] = [carried(), cause()];
        await queue.addBulk(
          asked.map((one) => ({
            name: 'source',
            data: { ...one, until, channel, request, ...caused } satisfies SourceData,
            opts: { ...SOURCE, ...trace, jobId: `${request}-${one.source}` },
          })),
        );
        await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(request);
        // What no worker has taken would wait in Redis; who runs removes itself. Nobody waits for this.
        for (const source of mine.open) queue.remove(`${request}-${source}`).catch(() => {});
      }
      return {
        ms: Math.round(performance.now() - start),
        values: mine.values,
        missing: asked.flatMap(({ source }) => {
          const reason = mine.open.has(source) ? 'late' : mine.failed.get(source);
          return reason === undefined ? [] : [{ source, reason }];
        }),
      };
    },
  };
}
