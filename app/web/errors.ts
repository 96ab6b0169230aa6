import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import { HttpError, messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { requestId } from './identity.ts';
import { errorPage, sendPage } from './pages/layout.ts';

export const notFound: RequestHandler = (req, res) => {
  answer(res, req.accepts(['json', 'html']), 404, 'not_found', 'there is nothing here');
};

/** The last handler: tells the client what it did wrong, or only the id under which the log has the rest. */
export function handleErrors(log: Logger): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    if (res.writableEnded) return; // it was answered for being late; this is what came of it afterwards
    const { status, code, message } = toClient(error);
    const cause = error instanceof Error && error.cause ? messageOf(error.cause) : undefined;
    if (status === 500) log.error({ id: requestId(res), err: error }, 'request failed');
    else if (status > 500) log.warn({ id: requestId(res), cause }, message);
    if (res.headersSent) {
      res.destroy(); // a truncated answer must look truncated
      return;
    }
    if (status === 503) res.setHeader('Retry-After', '1');
    answer(res, req.accepts(['json', 'html']), status, code, message);
  };
}

function answer(res: Response, type: string | false, status: number, code: string, message: string): void {
  const id = requestId(res);
  res.status(status).setHeader('Cache-Control', 'no-store');
  if (type === 'html') sendPage(res, errorPage(status, message, id));
  else res.json({ error: { code, message, id } });
}

/** Errors of Express and its body parsers carry a status below 500 when the client is to blame. */
function toClient(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof HttpError) return error;
  const { status } = (error ?? {}) as { status?: unknown };
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const text = STATUS_CODES[status] ?? 'Bad Request';
    return { status, code: text.toLowerCase().replaceAll(/\W+/g, '_'), message: text };
  }
  return { status: 500, code: 'internal', message: 'something went wrong here' };
}
