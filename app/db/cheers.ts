import type { Database } from './pool.ts';

export interface Cheer {
  seq: number;
  id: string;
  team_id: number | null;
  text: string;
  release_id: string | null;
  at: Date;
}

/** How many cheers there are. */
export interface CheerCount {
  total: number;
  byTeam: Map<number, number>;
}

/** Rows on the page: with the seeded race and as many ordinary cheers it is 40 KB of HTML. */
const LATEST = 60;
/** The exact count reads a whole index, so it is taken this rarely; in between, new rows are added to it. */
const RECOUNT_MS = 60_000;

/** The table `cheers`. */
export interface Cheers {
  /** One INSERT; answers its sequence number. `id` is the request's. */
  add(cheer: { id: string; text: string; team: number | null; release: string }): Promise<number>;
  /** The newest cheers, and how many there are. */
  latest(): Promise<{ cheers: Cheer[]; count: CheerCount }>;
}

/** Keeps no state but the last count. */
export function createCheers(database: Pick<Database, 'read' | 'write'>): Cheers {
  let known: { byTeam: Map<number, number>; newest: number; takenAt: number } | null = null;
  let counting: Promise<void> | null = null;

  async function recount(): Promise<void> {
    const rows = await database.read<{ team_id: number | null; count: number; newest: number }>(
      'SELECT team_id, COUNT(*) AS count, MAX(seq) AS newest FROM cheers GROUP BY team_id',
    );
    known = {
      byTeam: new Map(rows.map((row) => [row.team_id ?? 0, row.count])),
      newest: Math.max(0, ...rows.map((row) => row.newest)),
      takenAt: performance.now(),
    };
  }

  /** Adds the rows that came since; those that committed out of order wait for the next exact count. */
  async function grow(newestFirst: Cheer[]): Promise<void> {
    if (!known || performance.now() - known.takenAt > RECOUNT_MS) {
      const first = !known;
      counting ??= recount().finally(() => (counting = null));
      if (first) await counting;
      else counting.catch(() => {}); // the old count is good enough; the next page tries again
    }
    const { byTeam, newest } = known!;
    const fresh = newestFirst.filter(({ seq }) => seq > newest);
    if (fresh.length === 0) return;
    const rows =
      fresh.length < newestFirst.length
        ? fresh.map(({ team_id }) => ({ team_id, count: 1 }))
        : await database.read<{ team_id: number | null; count: number }>(
            'SELECT team_id, COUNT(*) AS count FROM cheers WHERE seq > ? AND seq <= ? GROUP BY team_id',
            [newest, fresh[0]!.seq],
          );
    if (known!.newest !== newest) return; // another page has counted meanwhile
    for (const { team_id, count } of rows) byTeam.set(team_id ?? 0, (byTeam.get(team_id ?? 0) ?? 0) + count);
    known!.newest = fresh[0]!.seq;
  }

  return {
    async add({ id, text, team, release }) {
      const result = await database.write(
        'INSERT INTO cheers (id, team_id, text, release_id, at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3))',
        [id, team, text, release],
      );
      return result.insertId;
    },

    async latest() {
      const cheers = await database.read<Cheer>(
        `SELECT seq, id, team_id, text, release_id, at FROM cheers ORDER BY seq DESC LIMIT ${LATEST}`,
      );
      await grow(cheers);
      const byTeam = known?.byTeam ?? new Map<number, number>();
      return { cheers, count: { byTeam, total: [...byTeam.values()].reduce((sum, n) => sum + n, 0) } };
    },
  };
}
