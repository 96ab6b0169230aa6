import express, { type IRouter } from 'express';
import { HttpError } from '../../errors.ts';
import type { Deps, JobDeps } from '../app.ts';
import { sameOrigin } from '../same-origin.ts';

const MAX_PAUSE_MS = 5000;
const ID = /^batch-[0-9a-f-]{36}$/;

/**
 * `POST /batches { pause?, fail? }` starts the statistics of every team and leg as one batch of small jobs; `GET /batches/:id` says how
 * far it is; `POST /batches/:id/retry` lets its failed parts be done again. `pause` (milliseconds) makes each leg take its
 * time, `fail` names a team whose part fails.
 */
export function batches(router: IRouter, { master, config, limit }: Deps, { jobs }: JobDeps): void {
  const json = express.json({ limit: config.bodyLimit });
  const form = express.urlencoded({ limit: config.bodyLimit, extended: false });

  router.post('/batches', sameOrigin, limit, json, form, async (req, res) => {
    const given = (req.body ?? {}) as Record<string, unknown>;
    const { teams } = await master.get();
    const ids = teams.map(({ id }) => id);
    const pause = Number(given.pause ?? 0);
    if (!Number.isInteger(pause) || pause < 0 || pause > MAX_PAUSE_MS)
      throw new HttpError(400, 'bad_pause', `pause must be a whole number from 0 to ${MAX_PAUSE_MS}`);
    const fail = given.fail === undefined || given.fail === '' ? null : Number(given.fail);
    if (fail !== null && !ids.includes(fail)) throw new HttpError(400, 'bad_team', 'there is no such team');
    const id = await (await jobs.get()).startBatch({ teams: ids, pause, fail });
    res.setHeader('Cache-Control', 'no-store');
    res.status(202).location(`/batches/${id}`).json({ id, parts: ids.length });
  });

  router.get('/batches/:id', async (req, res) => {
    const state = await (await jobs.get()).readBatch(idOf(req.params.id));
    if (!state) throw new HttpError(404, 'no_batch', 'there is no such batch');
    res.setHeader('Cache-Control', 'no-store');
    res.json(state);
  });

  router.post('/batches/:id/retry', sameOrigin, limit, async (req, res) => {
    const retried = await (await jobs.get()).retryBatch(idOf(req.params.id));
    res.setHeader('Cache-Control', 'no-store');
    res.json({ retried });
  });
}

function idOf(given: unknown): string {
  if (typeof given === 'string' && ID.test(given)) return given;
  throw new HttpError(404, 'no_batch', 'there is no such batch');
}
