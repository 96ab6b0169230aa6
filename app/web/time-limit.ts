import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { HttpError } from '../errors.ts';

/**
 * A request that has no answer after `ms` gets one: 408 when the client is still sending it, 503 when this side is late. What
 * the route still does goes on, and what it answers then is thrown away. An answer that has begun may take as long
 * as it likes: streams do. `answer` tells the client.
 */
export function limitTime(ms: number, answer: ErrorRequestHandler): RequestHandler {
  // In the order in which they came, which is that of their deadlines: one timer, for the oldest, serves all. A timer for each
  // request would be made, linked and cleared for nothing nearly always.
  const running = new Map<Response, { req: Request; until: number }>();
  let isWatched = false;

  const watch = (left: number): void => {
    isWatched = true;
    // A process that was held up runs its timers before it reads its sockets: an answer that is there already counts.
    setTimeout(() => setImmediate(look), Math.ceil(left)).unref();
  };
  const look = (): void => {
    isWatched = false;
    for (const [res, { req, until }] of running) {
      const left = until - performance.now();
      if (left > 0) return watch(left);
      running.delete(res);
      if (!res.headersSent) tooLate(req, res);
    }
  };
  const tooLate = (req: Request, res: Response): void => {
    const error = req.complete
      ? new HttpError(503, 'too_late', `no answer within ${ms / 1000} s`)
      : new HttpError(408, 'too_slow', `the request did not arrive within ${ms / 1000} s`);
    // Not by next(): that way is still the route's, whose own end must find it unused.
    void answer(error, req, res, () => {});
  };

  return (req, res, next) => {
    running.set(res, { req, until: performance.now() + ms });
    res.once('close', () => running.delete(res));
    if (!isWatched) watch(ms);
    next();
  };
}
