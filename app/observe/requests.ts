import type { Request, RequestHandler, Response } from 'express';
import type { Logger } from '../log.ts';
import { requestId } from '../web/identity.ts';
import { isWarmUp } from '../web/warm-up.ts';
import { within, type Part, type WorkContext } from './context.ts';
import type { Metrics } from './metrics.ts';
import type { Caller, LateTracing, Outcome } from './tracing.ts';

/**
 * Follows each request: the parts of its time, one line in the log when it is over, its figures, and its span where tracing is
 * on. With the header `X-Timing: 1` the answer carries its parts as `Server-Timing`, which a browser shows.
 */
export function follow(
  log: Logger,
  metrics: Metrics,
  tracing?: Pick<LateTracing, 'current'>,
): RequestHandler {
  const logs = log.isLevelEnabled('info');
  return (req, res, next) => {
    if (isWarmUp(req)) return next();
    const start = performance.now();
    const trace = tracing?.current?.begin('request', req.headers as Caller);
    const context: WorkContext = { id: requestId(res), parts: {}, trace };
    const asked = trace?.steps && whatIsAsked(req, context.id);
    metrics.begin();
    if (req.headers['x-timing'] === '1') tellTiming(res, context, start);
    res.once('close', () => {
      const ms = performance.now() - start;
      metrics.end(routeOf(req), req.method, res.statusCode, ms / 1000);
      if (trace && asked) trace.end(outcomeOf(req, res, asked));
      if (!logs) return;
      const line: Record<string, unknown> = {
        id: context.id,
        method: req.method,
        url: req.originalUrl,
        status: res.statusCode,
        ms: round(ms),
      };
      const parts = rounded(context);
      if (parts) line.parts = parts;
      if (!res.writableFinished) line.cut = true;
      if (trace) line.trace = trace.parent.split('-')[1]; // its id
      log.info(line, 'request');
    });
    within(context, next);
  };
}

/** The pattern of the route that answered. Foreign paths are all one: they must not fill the memory. */
function routeOf({ route }: { route?: { path?: unknown } }): string {
  return typeof route?.path === 'string' ? route.path : 'none';
}

/** What a span tells of a request: read as it comes, since afterwards its connection may be gone. */
function whatIsAsked(req: Request, id: string): Outcome['attributes'] {
  const [path, query] = /^([^?]*)\??(.*)$/s.exec(req.originalUrl)!.slice(1); // not URL: it throws at what clients may send
  return {
    'http.request.method': req.method,
    'url.path': path ?? '',
    ...(query && { 'url.query': query }),
    'url.scheme': req.protocol,
    'server.address': req.host ?? '',
    'client.address': req.ip ?? '',
    'network.protocol.version': req.httpVersion,
    'user_agent.original': req.headers['user-agent'] ?? '',
    'tasuki.request.id': id,
  };
}

function outcomeOf(req: Request, res: Response, asked: Outcome['attributes']): Outcome {
  const route = routeOf(req);
  const known = route !== 'none';
  const status = res.statusCode;
  const cut = !res.writableFinished;
  return {
    name: known ? `${req.method} ${route}` : req.method,
    attributes: {
      ...asked,
      ...(known && { 'http.route': route }),
      'http.response.status_code': status,
      ...(cut && { 'tasuki.cut': true }),
    },
    error: status >= 500 ? String(status) : cut ? 'cut' : undefined,
  };
}

/** Headers are written as late as can be, so that they carry what is known by then. */
function tellTiming(res: Response, context: WorkContext, start: number): void {
  const writeHead = res.writeHead.bind(res);
  res.writeHead = ((...args: Parameters<typeof writeHead>) => {
    const parts = Object.entries({ ...rounded(context), total: round(performance.now() - start) });
    res.setHeader('Server-Timing', parts.map(([name, ms]) => `${name};dur=${ms}`).join(', '));
    return writeHead(...args);
  }) as typeof res.writeHead;
}

/** Undefined when nothing was worth telling apart. */
function rounded({ parts }: WorkContext): Record<string, number> | undefined {
  let all: Record<string, number> | undefined;
  for (const part in parts) (all ??= {})[part] = round(parts[part as Part]!);
  return all;
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
