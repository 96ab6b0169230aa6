import type { IRouter } from 'express';
import type { BoardPage } from '../board-page.ts';
import { sendPage } from '../pages/layout.ts';

/** `GET /`: the race board, from MySQL. */
export function home(router: IRouter, page: BoardPage): void {
  router.get('/', async (_req, res) => {
    res.setHeader('Cache-Control', 'no-store');
    sendPage(res, await page());
  });
}
