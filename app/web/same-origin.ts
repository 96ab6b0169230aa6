import type { RequestHandler } from 'express';
import { HttpError } from '../errors.ts';

/**
 * For routes that write: a page of another site must not write in the visitor's name. Browsers say where a request comes
 * from, by `Sec-Fetch-Site`, older ones by `Origin`; a client that says neither is no browser and has no visitor's cookies.
 */
export const sameOrigin: RequestHandler = (req, _res, next) => {
  const site = req.headers['sec-fetch-site'];
  const { origin } = req.headers;
  const foreign =
    site === undefined
      ? origin !== undefined && origin !== `${req.protocol}://${req.host}`
      : !['same-origin', 'none'].includes(site);
  if (foreign) throw new HttpError(403, 'cross_site', 'this form belongs to another site');
  next();
};
