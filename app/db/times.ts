import type { Database } from './pool.ts';

export interface Time {
  team_id: number;
  leg: number;
  seconds: number;
}

/** The table `times`: one row for each leg a team has finished. */
export async function readTimes({ read }: Pick<Database, 'read'>): Promise<Time[]> {
  return await read<Time>('SELECT team_id, leg, seconds FROM times');
}
