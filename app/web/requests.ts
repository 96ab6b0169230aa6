import type { RequestHandler } from 'express';
import type { Logger } from '../log.ts';
import { requestId } from './identity.ts';

/** One line per request, when it is over; `cut` when the client left before the answer was whole. */
export function logRequests(log: Logger): RequestHandler {
  return (req, res, next) => {
    const start = performance.now();
    res.once('close', () => {
      log.debug(
        {
          id: requestId(res),
          method: req.method,
          url: req.originalUrl,
          status: res.statusCode,
          ms: Math.round((performance.now() - start) * 10) / 10,
          ...(!res.writableFinished && { cut: true }),
        },
        'request',
      );
    });
    next();
  };
}
