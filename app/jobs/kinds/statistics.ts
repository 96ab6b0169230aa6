import { setTimeout as wait } from 'node:timers/promises';
import type { Sql } from '../../db/jobs.ts';
import type { Kind } from '../process.ts';

export interface StatisticsData {
  batch: string;
  team: number;
  /** Milliseconds each leg takes, as if it were long work. */
  pause: number;
  /** So many runs fail, as if something were broken. */
  fail: number;
  /** Of the HTTP request that began the batch, for the log. */
  requestId?: string;
}

interface LegRow {
  leg: number;
  seconds: number;
  metres: number;
  place: number;
  best: number;
}

/** Place, time behind the fastest, and pace of one team on each leg it has finished: one small part of a batch. */
export const statistics: Kind = {
  writes: true,
  async run({ data, failures, once, tell, signal, tools }) {
    const { batch, team, pause, fail } = data as unknown as StatisticsData;
    const legs = await tools.database.read<LegRow>(
      `SELECT times.leg, times.seconds, legs.metres,
         (SELECT COUNT(*) + 1 FROM times AS other WHERE other.leg = times.leg AND other.seconds < times.seconds) AS place,
         (SELECT MIN(seconds) FROM times AS other WHERE other.leg = times.leg) AS best
       FROM times JOIN legs ON legs.no = times.leg WHERE times.team_id = ? ORDER BY times.leg`,
      [team],
    );
    for (const [done] of legs.entries()) {
      if (pause > 0) await wait(pause, undefined, { signal });
      await tell(Math.round(((done + 1) / legs.length) * 100));
    }
    if (failures < fail) throw new Error(`team ${team} was asked to fail ${fail} times`);
    return await once(async (sql) => {
      for (const row of legs) await write(sql, team, batch, row);
      return { team, legs: legs.length };
    });
  },
};

async function write(sql: Sql, team: number, batch: string, row: LegRow): Promise<void> {
  const pace = Math.round((row.seconds / row.metres) * 1000);
  await sql(
    `INSERT INTO leg_statistics (team_id, leg, place, behind, pace, batch) VALUES (?, ?, ?, ?, ?, ?) AS new
     ON DUPLICATE KEY UPDATE place = new.place, behind = new.behind, pace = new.pace, batch = new.batch`,
    [team, row.leg, row.place, row.seconds - row.best, pace, batch],
  );
}

/** The end of a batch: runs when all its parts are done. */
export const batch: Kind = {
  writes: true,
  async run({ job, once }) {
    const parts = Object.values(await job.getChildrenValues<{ legs: number } | null>());
    return await once(async () => ({
      teams: parts.length,
      // A part whose first run was killed after its effect answers null.
      legs: parts.reduce((sum, part) => sum + (part?.legs ?? 0), 0),
    }));
  },
};
