import type { Kind } from '../process.ts';

/** Counts the cheers up to one of them: how many, for how many teams, and which team has most. */
export const digest: Kind = {
  writes: true,
  async run({ data, once }) {
    const upto = Number(data.upto);
    return await once(async (sql) => {
      const rows = await sql<{ team: number; cheers: number }>(
        `SELECT COALESCE(team_id, 0) AS team, COUNT(*) AS cheers FROM cheers WHERE seq <= ?
         GROUP BY team_id ORDER BY cheers DESC, team`,
        [upto],
      );
      const teams = rows.filter(({ team }) => team !== 0);
      const total = rows.reduce((sum, { cheers }) => sum + cheers, 0);
      const favourite = teams[0]?.team ?? null;
      await sql(
        'INSERT INTO cheer_digests (upto, total, teams, favourite, at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3))',
        [upto, total, teams.length, favourite],
      );
      return { total, teams: teams.length, favourite };
    });
  },
};
