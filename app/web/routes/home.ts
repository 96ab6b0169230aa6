import { Router } from 'express';
import type { Deps } from '../app.ts';
import type { Html } from '../html.ts';
import { homePage, sendPage } from '../pages.ts';

/** `GET /`: the page, from MySQL; the number of views, if Redis has one. */
export function home(deps: Deps): Router {
  const router = Router();
  router.get('/', async (_req, res) => {
    const body = await renderHome(deps);
    res.setHeader('Cache-Control', 'no-store');
    sendPage(res, body);
  });
  return router;
}

export async function renderHome({
  updates,
  views,
  release,
}: Pick<Deps, 'updates' | 'views' | 'release'>): Promise<Html> {
  const [latest, seen] = await Promise.all([updates.latest(), views?.count() ?? null]);
  return homePage({ release, ...latest, views: seen });
}
