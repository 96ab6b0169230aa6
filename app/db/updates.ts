import type { Database } from './pool.ts';

export interface Update {
  seq: number;
  id: string;
  text: string;
  release_id: string | null;
  at: Date;
}

/** Rows on the page. */
const LATEST = 10;
/** The exact count reads the whole index, so it is taken this rarely; in between, the newest `seq` tells the growth. */
const RECOUNT_MS = 60_000;

/** The table `updates`. */
export interface Updates {
  /** One INSERT; answers its sequence number. */
  add(id: string, text: string, release: string): Promise<number>;
  /** The newest updates and how many there are. */
  latest(): Promise<{ updates: Update[]; count: number }>;
}

/** Keeps no state but the last exact count. */
export function createUpdates(database: Database): Updates {
  let known = { count: 0, newest: 0, takenAt: -Infinity };
  let counting: Promise<void> | null = null;

  async function recount(): Promise<void> {
    const [row] = await database.read<{ count: number; newest: number }>(
      'SELECT COUNT(*) AS count, COALESCE(MAX(seq), 0) AS newest FROM updates',
    );
    if (row) known = { ...row, takenAt: performance.now() };
  }

  return {
    async add(id, text, release) {
      const result = await database.write(
        'INSERT INTO updates (id, text, release_id, at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))',
        [id, text, release],
      );
      return result.insertId;
    },

    async latest() {
      const updates = await database.read<Update>(
        `SELECT seq, id, text, release_id, at FROM updates ORDER BY seq DESC LIMIT ${LATEST}`,
      );
      if (performance.now() - known.takenAt > RECOUNT_MS) {
        const first = known.takenAt === -Infinity;
        counting ??= recount().finally(() => (counting = null));
        if (first) await counting;
        else counting.catch(() => {}); // the old count is good enough; the next page tries again
      }
      const grown = Math.max(0, (updates[0]?.seq ?? 0) - known.newest);
      return { updates, count: known.count + grown };
    },
  };
}
