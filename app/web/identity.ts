import { randomBytes } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

/** What an id may look like: nothing that could break a header, a log line or a page. */
export const SANE_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Puts X-Release and X-Request-ID on every response, before anything can fail. */
export function identify(release: string): RequestHandler {
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    const id = typeof given === 'string' && SANE_ID.test(given) ? given : randomBytes(16).toString('hex');
    res.locals.id = id;
    res.setHeader('X-Release', release);
    res.setHeader('X-Request-ID', id);
    next();
  };
}

/** The id of the request this response answers. */
export function requestId(res: Response): string {
  return res.locals.id as string;
}

/** For a proxy that is trusted, but does not set this header: then it is the client's own word. */
export const ignoreForwardedHost: RequestHandler = (req, _res, next) => {
  delete req.headers['x-forwarded-host'];
  next();
};
