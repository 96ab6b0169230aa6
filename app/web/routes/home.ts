import { Router } from 'express';
import { readTimes } from '../../db/times.ts';
import { timedNow } from '../../observe/context.ts';
import type { Deps } from '../app.ts';
import { standings } from '../board.ts';
import type { Html } from '../html.ts';
import { boardPage } from '../pages/board.ts';
import { sendPage } from '../pages/layout.ts';

/** `GET /`: the race board, from MySQL. */
export function home(deps: Deps): Router {
  const router = Router();
  router.get('/', async (_req, res) => {
    res.setHeader('Cache-Control', 'no-store');
    sendPage(res, await renderBoard(deps));
  });
  return router;
}

/** Reads times and cheers at each call; teams, legs and runners change rarely and are kept. */
export async function renderBoard(
  { master, database, cheers, release }: Pick<Deps, 'master' | 'database' | 'cheers' | 'release'>,
  notice?: string,
): Promise<Html> {
  const [kept, times, latest] = await Promise.all([master.get(), readTimes(database), cheers.latest()]);
  return timedNow('render', () => {
    const order = standings(kept, times);
    return boardPage({
      release,
      ...kept,
      standings: order,
      ...latest,
      ...(notice !== undefined && { notice }),
    });
  });
}
