import { setTimeout as wait } from 'node:timers/promises';
import type { IRouter } from 'express';
import { HttpError } from '../../errors.ts';
import type { Deps } from '../app.ts';

const MAX_MS = 30_000;
const CHUNK_EVERY_MS = 100;

/**
 * `GET /slow?ms=5000`: a response that takes that long, in chunks, and ends with `done`. Start one, deploy, and see it
 * come to its end: that is draining. Each line tells its number and the release that writes it.
 */
export function slow(router: IRouter, { release }: Deps): void {
  router.get('/slow', async (req, res) => {
    const ms = Number(req.query.ms ?? 1000);
    if (!Number.isInteger(ms) || ms < 0 || ms > MAX_MS) {
      throw new HttpError(400, 'bad_ms', `ms must be a whole number from 0 to ${MAX_MS}`);
    }
    res.setHeader('Content-Type', 'text/plain; charset=utf-8');
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('X-Accel-Buffering', 'no'); // the proxy passes each chunk on as it comes
    const end = performance.now() + ms;
    for (let chunk = 1; ; chunk++) {
      const left = end - performance.now();
      if (left <= 0 || res.destroyed) break;
      res.write(`${chunk} ${release}\n`);
      await wait(Math.min(left, CHUNK_EVERY_MS));
    }
    res.end('done\n');
  });
}
