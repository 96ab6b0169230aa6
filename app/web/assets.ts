import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import express, { type NextFunction, type RequestHandler, type Response } from 'express';
import { ENCODINGS, FOLDER, HASHED } from './asset-files.ts';

const YEAR = 'public, max-age=31536000, immutable';
const MONTH = 'public, max-age=2592000';
/** No folder and no dot file is reached by it. */
const NAME = /^\/[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** What a file that cannot be sent after all (412) has left on the response; an error page is none of it. */
const OF_THE_FILE = ['Content-Encoding', 'Content-Type', 'Cache-Control', 'ETag', 'Last-Modified'];

/** From the name in the source to the name that carries a hash of the content; empty where nothing was built. */
const manifest = readManifest();

/** The path of a static file, to be written into a page. */
export function asset(name: string): string {
  return `/assets/${manifest[name] ?? name}`;
}

/**
 * Serves the files of `folder` where no proxy does it before the request comes here, in the smallest form that the
 * client takes.
 */
export function assets(folder = FOLDER): RequestHandler {
  const plain = files(folder);
  const smaller = ENCODINGS.map((encoding) => ({ encoding, send: files(join(folder, encoding), encoding) }));
  return (req, res, next) => {
    if (!NAME.test(req.path)) return next();
    res.vary('Accept-Encoding');
    const without: NextFunction = (error?: unknown) => {
      for (const header of OF_THE_FILE) res.removeHeader(header);
      next(error);
    };
    const sendPlain: NextFunction = (error?: unknown) => (error ? without(error) : plain(req, res, without));
    const best = smaller.find(({ encoding }) => req.acceptsEncodings(encoding));
    if (best) best.send(req, res, sendPlain);
    else sendPlain();
  };
}

function files(folder: string, encoding?: string) {
  return express.static(folder, {
    index: false,
    redirect: false,
    cacheControl: false,
    acceptRanges: false, // whole files only, as the proxy
    setHeaders(res: Response, path: string) {
      res.setHeader('Cache-Control', HASHED.test(path) ? YEAR : MONTH);
      if (encoding) res.setHeader('Content-Encoding', encoding);
    },
  });
}

function readManifest(): Record<string, string> {
  try {
    return JSON.parse(readFileSync(join(FOLDER, 'manifest.json'), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}
