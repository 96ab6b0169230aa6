import type { Sql } from '../../db/jobs.ts';
import type { Kind } from '../process.ts';

export interface CheerData {
  text: string;
  team: number | null;
}

/** Adds one cheer. Its row bears the job's id, and the table takes an id twice: an effect that happened twice would show. */
export const cheer: Kind = {
  writes: true,
  async run({ id, data, once }) {
    const { text, team } = data as unknown as CheerData;
    return await once(async (sql) => {
      await addCheers(sql, id, [{ text, team }]);
      return { cheers: 1 };
    });
  },
};

/** Adds cheers under one id. */
export async function addCheers(sql: Sql, id: string, cheers: CheerData[]): Promise<void> {
  for (let from = 0; from < cheers.length; from += 500) {
    const some = cheers.slice(from, from + 500);
    await sql(
      `INSERT INTO cheers (id, team_id, text, at) VALUES ${some.map(() => '(?, ?, ?, UTC_TIMESTAMP(3))').join(', ')}`,
      some.flatMap(({ text, team }) => [id, team, text]),
    );
  }
}
