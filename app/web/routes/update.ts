import express, { type IRouter } from 'express';
import { HttpError } from '../../errors.ts';
import type { Deps } from '../app.ts';
import type { BoardPage } from '../board-page.ts';
import { requestId, SANE_ID } from '../identity.ts';
import { sendPage } from '../pages/layout.ts';
import { sameOrigin } from '../same-origin.ts';

const MAX_TEXT = 280;

/**
 * `POST /update`, a form or JSON `{ id?, text, team? }`: one INSERT, then the page with it. The id, from the body or else the
 * request's own, is what the loss prover looks for afterwards; nothing here tries twice, so a second row means a second
 * execution.
 */
export function update(router: IRouter, deps: Deps, page: BoardPage): void {
  const { config, cheers, master, release, limit } = deps;
  const json = express.json({ limit: config.bodyLimit });
  const form = express.urlencoded({ limit: config.bodyLimit, extended: false });

  router.post('/update', sameOrigin, limit, json, form, async (req, res) => {
    const body: unknown = req.body;
    if (typeof body !== 'object' || body === null) {
      throw new HttpError(415, 'unsupported_media_type', 'send a form or JSON');
    }
    const given = body as Record<string, unknown>;
    const id = idOf(given.id, requestId(res));
    const { teams } = await master.get();
    const team = teamOf(given.team, (number) => teams.some((one) => one.id === number));
    const seq = await cheers.add({ id, text: textOf(given.text), team, release });
    res.setHeader('Cache-Control', 'no-store');
    if (req.accepts(['html', 'json']) === 'json') res.status(201).json({ seq, id, release });
    else sendPage(res, await page('Your cheer is on the board.'));
  });
}

function idOf(given: unknown, fallback: string): string {
  if (given === undefined || given === '') return fallback;
  if (typeof given === 'string' && SANE_ID.test(given)) return given;
  throw new HttpError(400, 'bad_id', 'id must be 1 to 64 of A-Z a-z 0-9 . _ -');
}

function teamOf(given: unknown, known: (team: number) => boolean): number | null {
  if (given === undefined || given === null || given === '') return null;
  const team = Number(given);
  if (Number.isInteger(team) && known(team)) return team;
  throw new HttpError(400, 'bad_team', 'there is no such team');
}

function textOf(given: unknown): string {
  const text = typeof given === 'string' ? given.trim() : '';
  if (text === '') throw new HttpError(400, 'no_text', 'text is missing');
  if (text.length > MAX_TEXT)
    throw new HttpError(400, 'long_text', `text is longer than ${MAX_TEXT} characters`);
  return text;
}
