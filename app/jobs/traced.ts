import { DelayedError, WaitingError } from 'bullmq';
import { within } from '../observe/context.ts';
import type { LateTracing } from '../observe/tracing.ts';
import type { Process } from './consumer.ts';

/**
 * Makes each run of a job a span, where tracing is on: part of the trace of the request that began the job, which it brings along in
 * its options.
 */
export function traced(process: Process, tracing: Pick<LateTracing, 'current'>): Process {
  return async (queue, job, signal) => {
    const trace = tracing.current?.begin('job', { traceparent: job.opts.telemetry?.metadata });
    if (!trace) return await process(queue, job, signal);
    const { id = '', name, attemptsMade } = job;
    let error: string | undefined;
    try {
      return await within({ id, parts: {}, trace }, () => process(queue, job, signal));
    } catch (reason) {
      const putBack = reason instanceof DelayedError || reason instanceof WaitingError;
      if (!putBack) error = reason instanceof Error ? reason.name : 'unknown';
      throw reason;
    } finally {
      const attributes = {
        'messaging.system': 'bullmq',
        'messaging.operation.type': 'process',
        'messaging.destination.name': queue,
        'messaging.message.id': id,
        'tasuki.job.failures': attemptsMade,
      };
      trace.end({ name: `process ${name}`, attributes, error });
    }
  };
}
