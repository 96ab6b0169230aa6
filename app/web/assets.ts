import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express, { type RequestHandler } from 'express';

/** Static files: beside the bundle as build.ts makes them, or those of the source tree as they are. */
const FOLDER = new URL('./assets/', import.meta.url);
const HASHED = /-[A-Z0-9]{8}\.\w+$/;
const YEAR = 'public, max-age=31536000, immutable';
const MONTH = 'public, max-age=2592000';

/** From the name in the source to the name that carries a hash of the content; empty where nothing was built. */
const manifest = readManifest();

/** The path of a static file, to be written into a page. */
export function asset(name: string): string {
  return `/assets/${manifest[name] ?? name}`;
}

/** Serves the files where no proxy does it before the request comes here. */
export function assets(): RequestHandler {
  return express.static(fileURLToPath(FOLDER), {
    fallthrough: true,
    index: false,
    cacheControl: false,
    setHeaders: (res, path) => res.setHeader('Cache-Control', HASHED.test(path) ? YEAR : MONTH),
  });
}

function readManifest(): Record<string, string> {
  try {
    return JSON.parse(readFileSync(new URL('manifest.json', FOLDER), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}
