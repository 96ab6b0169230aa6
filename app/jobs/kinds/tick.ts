import type { Sql } from '../../db/jobs.ts';
import type { Kind } from '../process.ts';

/** Cheers are counted this long after the tick that saw them, in milliseconds: more will come. */
const DIGEST_DELAY_MS = 10_000;
const KEEP_RUNS_DAYS = 30;
/** Seconds by which a time may differ from the mean of its leg. */
const SPREAD = 60;

/**
 * The race clock, repeated: the next team finishes its leg, so that the board lives; new cheers are to be counted; old runs are
 * forgotten.
 */
export const tick: Kind = {
  writes: true,
  async run({ once, tools }) {
    const finished = await once(async (sql) => await finishNextLeg(sql));
    const [newest] = await tools.database.read<{ seq: number | null; upto: number | null }>(
      'SELECT (SELECT MAX(seq) FROM cheers) AS seq, (SELECT MAX(upto) FROM cheer_digests) AS upto',
    );
    const { seq, upto } = newest ?? { seq: null, upto: null };
    // The id makes it one job, however many ticks see the same cheers.
    if (seq && seq > (upto ?? 0))
      await tools.race.add('digest', { upto: seq }, { jobId: `digest-${seq}`, delay: DIGEST_DELAY_MS });
    await tools.runs.prune(KEEP_RUNS_DAYS);
    return finished;
  },
};

interface Next {
  team: number;
  leg: number;
}

/** Writes the next missing row of `times`; null when the race is over. */
async function finishNextLeg(sql: Sql): Promise<(Next & { seconds: number }) | null> {
  const [next] = await sql<Next>(
    `SELECT teams.id AS team, COALESCE(MAX(times.leg), 0) + 1 AS leg
     FROM teams LEFT JOIN times ON times.team_id = teams.id
     GROUP BY teams.id HAVING leg <= (SELECT MAX(no) FROM legs) ORDER BY leg, team LIMIT 1`,
  );
  if (!next) return null;
  const [leg] = await sql<{ usual: number }>(
    `SELECT CAST(COALESCE((SELECT AVG(seconds) FROM times WHERE leg = ?), metres * 0.175) AS UNSIGNED) AS usual
     FROM legs WHERE no = ?`,
    [next.leg, next.leg],
  );
  const seconds = Number(leg?.usual) + ((next.team * 37 + next.leg * 53) % (2 * SPREAD)) - SPREAD;
  await sql('INSERT INTO times (team_id, leg, seconds) VALUES (?, ?, ?)', [next.team, next.leg, seconds]);
  return { ...next, seconds };
}
