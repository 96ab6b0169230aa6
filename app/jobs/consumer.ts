import { WaitingError, Worker, type Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { messageOf } from '../errors.ts';
import type { Drain, Stay } from '../handover/index.ts';
import type { Logger } from '../log.ts';
import { requestOf } from './process.ts';
import { PREFIX, QUEUES, type QueueName } from './queues.ts';

/** How long handing back may take after the deadline; then the jobs count as stalled, and others take them. */
const HAND_BACK_MS = 3000;
/**
 * Seconds an idle worker waits for a job before it looks by itself. It is told of new jobs at once; but who is killed just after
 * it was told takes the news with it, and the job then waits this long.
 */
const IDLE_SECONDS = 5;
/** A job that took its worker with it this often fails: it may be what kills them. Bad luck alone is rarer. */
const MAX_STALLED = 5;

export type Process = (queue: QueueName, job: Job, signal: AbortSignal) => Promise<unknown>;

export interface ConsumerOptions {
  redis: Redis;
  process: Process;
  /** Jobs of each queue that run at the same time. */
  concurrency: number;
  /** After this long without a sign of life of its worker a job counts as stalled, in milliseconds. */
  lockMs: number;
  log: Logger;
}

/** Takes jobs from the queues while it is open. Two connections of its own, beside the one it is given. */
export class Consumer implements Stay {
  readonly #options: ConsumerOptions;
  readonly #running = new Set<AbortController>();
  #workers: Worker[] = [];
  #leaving = false;
  #answeredAfterLeaving = 0;
  #handedBack = 0;
  /** Jobs taken on this stay. */
  requests = 0;

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  /** Jobs that run now. */
  get connections(): number {
    return this.#running.size;
  }

  async open(): Promise<void> {
    this.#workers = QUEUES.map((queue) => this.#worker(queue));
    await Promise.all(this.#workers.map((worker) => worker.waitUntilReady()));
    for (const worker of this.#workers) worker.run().catch((error: unknown) => this.#tell(error));
  }

  async adopt(): Promise<void> {} // jobs know no connections

  /**
   * Takes no more jobs and lets those that run finish. At the deadline it gives the rest back to their queues, where another worker
   * takes them at once and none of their attempts is spent.
   */
  async drain(deadlineMs: number): Promise<Drain> {
    const start = performance.now();
    this.#leaving = true;
    const closed = Promise.all(this.#workers.map((worker) => worker.close()));
    const cut = setTimeout(() => {
      for (const job of this.#running) job.abort();
    }, deadlineMs);
    let giveUp: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      giveUp = setTimeout(() => {
        this.#options.log.warn({ running: this.#running.size }, 'redis takes no jobs back: they will stall');
        resolve();
      }, deadlineMs + HAND_BACK_MS);
    });
    await Promise.race([closed, late]);
    clearTimeout(cut);
    clearTimeout(giveUp);
    return {
      ms: Math.round(performance.now() - start),
      answered: this.#answeredAfterLeaving,
      cut: this.#handedBack,
    };
  }

  #worker(queue: QueueName): Worker {
    const { redis, concurrency, lockMs } = this.#options;
    const worker = new Worker(queue, (job, token) => this.#run(queue, job, token), {
      connection: redis,
      prefix: PREFIX,
      autorun: false,
      concurrency,
      drainDelay: IDLE_SECONDS,
      // A lock is renewed at half its time. Every half of it one worker looks for jobs without a lock, and takes what was
      // there at the look before: so the jobs of a dead worker go on after one to two locks.
      lockDuration: lockMs,
      stalledInterval: Math.ceil(lockMs / 2),
      maxStalledCount: MAX_STALLED,
    });
    worker.on('error', (error) => this.#tell(error));
    worker.on('failed', (job, error) => {
      const { id, name, attemptsMade } = job ?? {};
      const line = { id, name, ...(job && requestOf(job)), attemptsMade, reason: error.message };
      this.#options.log.warn(line, 'job failed');
    });
    worker.on('stalled', (id) =>
      this.#options.log.warn({ id, queue }, 'job stalled: taken from a dead worker'),
    );
    return worker;
  }

  async #run(queue: QueueName, job: Job, token: string | undefined): Promise<unknown> {
    const control = new AbortController();
    this.requests += 1;
    this.#running.add(control);
    const aborted = new Promise<never>((_resolve, reject) => {
      control.signal.addEventListener('abort', () => reject(new Error('handed back')));
    });
    try {
      const work = this.#options.process(queue, job, control.signal);
      work.catch(() => {}); // after the race nobody else hears it
      return await Promise.race([work, aborted]);
    } catch (error) {
      if (!control.signal.aborted) throw error;
      await job.moveToWait(token);
      this.#handedBack += 1;
      this.#options.log.info({ id: job.id, name: job.name, ...requestOf(job) }, 'job handed back');
      throw new WaitingError(); // tells BullMQ that the job is not its any more
    } finally {
      this.#running.delete(control);
      if (this.#leaving && !control.signal.aborted) this.#answeredAfterLeaving += 1;
    }
  }

  /** A lost connection is told where it is opened, once, not here for each attempt. */
  #tell(error: unknown): void {
    const message = messageOf(error);
    if (/ECONN|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EPIPE|EHOSTUNREACH|Connection is closed/.test(message)) return;
    this.#options.log.error({ reason: message }, 'worker');
  }
}
