import { laterRun } from '../cache/later-run.ts';
import { readTimes } from '../db/times.ts';
import { apart, timed, timedNow } from '../observe/context.ts';
import type { Deps } from './app.ts';
import { standings } from './board.ts';
import { boardPage } from './pages/board.ts';

/** Answers the page of `/` as it is now, with a notice if there is one: UTF-8, not to be changed. */
export type BoardPage = (notice?: string) => Promise<Buffer>;

/**
 * Reads times and cheers anew for each page; teams, legs and runners change rarely and are kept. Visitors who come while
 * a read is under way share the next one, and what was rendered from it: each sees all that was written before he came,
 * and a hundred at once cost the database and the renderer little more than one.
 */
export function createBoardPage({
  master,
  database,
  cheers,
  release,
}: Pick<Deps, 'master' | 'database' | 'cheers' | 'release'>): BoardPage {
  const read = laterRun(() =>
    apart(async () => {
      const [kept, times, latest] = await Promise.all([master.get(), readTimes(database), cheers.latest()]);
      return {
        board: { release, ...kept, standings: standings(kept, times), ...latest },
        pages: new Map<string | undefined, Buffer>(),
      };
    }),
  );
  return async (notice) => {
    const { board, pages } = await timed('db', read);
    return timedNow('render', () => {
      const page = pages.get(notice) ?? Buffer.from(boardPage({ ...board, ...(notice && { notice }) }).text);
      pages.set(notice, page);
      return page;
    });
  };
}
