import type { RequestHandler, Response } from 'express';
import type { Logger } from '../log.ts';
import { requestId } from '../web/identity.ts';
import { within, type RequestContext } from './context.ts';
import type { Metrics } from './metrics.ts';

/**
 * Follows each request: the parts of its time, one line in the log when it is over, its figures. With the header
 * `X-Timing: 1` the answer carries its parts as `Server-Timing`, which a browser shows.
 */
export function follow(log: Logger, metrics: Metrics): RequestHandler {
  const logs = log.isLevelEnabled('info');
  return (req, res, next) => {
    const start = performance.now();
    const context: RequestContext = { id: requestId(res), parts: {} };
    metrics.begin();
    if (req.headers['x-timing'] === '1') tellTiming(res, context, start);
    res.once('close', () => {
      const ms = performance.now() - start;
      metrics.end(routeOf(req), req.method, res.statusCode, ms / 1000);
      if (!logs) return;
      const line = {
        id: context.id,
        method: req.method,
        url: req.originalUrl,
        status: res.statusCode,
        ms: round(ms),
      };
      const cut = res.writableFinished ? {} : { cut: true };
      log.info({ ...line, parts: rounded(context), ...cut }, 'request');
    });
    within(context, next);
  };
}

/** The pattern of the route that answered. Foreign paths are all one: they must not fill the memory. */
function routeOf({ route }: { route?: { path?: unknown } }): string {
  return typeof route?.path === 'string' ? route.path : 'none';
}

/** Headers are written as late as can be, so that they carry what is known by then. */
function tellTiming(res: Response, context: RequestContext, start: number): void {
  const writeHead = res.writeHead.bind(res);
  res.writeHead = ((...args: Parameters<typeof writeHead>) => {
    const parts = Object.entries({ ...rounded(context), total: round(performance.now() - start) });
    res.setHeader('Server-Timing', parts.map(([name, ms]) => `${name};dur=${ms}`).join(', '));
    return writeHead(...args);
  }) as typeof res.writeHead;
}

function rounded({ parts }: RequestContext): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).map(([part, ms]) => [part, round(ms)]));
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
