import type { ErrorRequestHandler, RequestHandler } from 'express';
import { HttpError } from '../errors.ts';

/**
 * A request that has no answer after `ms` gets one: 408 when the client is still sending it, 503 when this side is late. What
 * the route still does goes on, and what it answers then is thrown away. An answer that has begun may take as long
 * as it likes: streams do. `answer` tells the client.
 */
export function limitTime(ms: number, answer: ErrorRequestHandler): RequestHandler {
  return (req, res, next) => {
    const timer = setTimeout(() => {
      if (res.headersSent) return;
      const error = req.complete
        ? new HttpError(503, 'too_late', `no answer within ${ms / 1000} s`)
        : new HttpError(408, 'too_slow', `the request did not arrive within ${ms / 1000} s`);
      // Not by next(): that way is still the route's, whose own end must find it unused.
      void answer(error, req, res, () => {});
    }, ms);
    res.once('close', () => clearTimeout(timer));
    next();
  };
}
