import express, { Router, type RequestHandler } from 'express';
import { HttpError } from '../../errors.ts';
import type { Deps } from '../app.ts';
import { requestId, SANE_ID } from '../identity.ts';

const MAX_TEXT = 280;

/**
 * `POST /update`, a form or JSON `{ id?, text }`: one INSERT. The id, from the body or else the request's own, is what
 * the loss prover looks for afterwards; nothing here tries twice, so a second row means a second execution.
 */
export function update({ config, updates, release }: Deps): Router {
  const router = Router();
  const json = express.json({ limit: config.bodyLimit });
  const form = express.urlencoded({ limit: config.bodyLimit, extended: false });

  router.post('/update', sameSite, json, form, async (req, res) => {
    const body: unknown = req.body;
    if (typeof body !== 'object' || body === null) {
      throw new HttpError(415, 'unsupported_media_type', 'send a form or JSON');
    }
    const given = body as Record<string, unknown>;
    const id = idOf(given.id, requestId(res));
    const seq = await updates.add(id, textOf(given.text), release);
    if (req.accepts(['html', 'json']) === 'json') res.status(201).json({ seq, id, release });
    else res.redirect(303, '/');
  });
  return router;
}

/** A form on another site must not write in the visitor's name; clients that are no browser do not send the header. */
const sameSite: RequestHandler = (req, _res, next) => {
  if (req.headers['sec-fetch-site'] === 'cross-site') {
    throw new HttpError(403, 'cross_site', 'this form belongs to another site');
  }
  next();
};

function idOf(given: unknown, fallback: string): string {
  if (given === undefined || given === '') return fallback;
  if (typeof given === 'string' && SANE_ID.test(given)) return given;
  throw new HttpError(400, 'bad_id', 'id must be 1 to 64 of A-Z a-z 0-9 . _ -');
}

function textOf(given: unknown): string {
  const text = typeof given === 'string' ? given.trim() : '';
  if (text === '') throw new HttpError(400, 'no_text', 'text is missing');
  if (text.length > MAX_TEXT)
    throw new HttpError(400, 'long_text', `text is longer than ${MAX_TEXT} characters`);
  return text;
}
