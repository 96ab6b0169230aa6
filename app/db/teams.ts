import type { Database } from './pool.ts';

export interface Team {
  id: number;
  name: string;
  area: string;
  /** #rrggbb of the sash. */
  color: string;
}
export interface Leg {
  no: number;
  start: string;
  finish: string;
  metres: number;
}
export interface Runner {
  team_id: number;
  leg: number;
  name: string;
  year: number;
}

/** What changes rarely. */
export interface Master {
  teams: Team[];
  legs: Leg[];
  runners: Runner[];
}

/** The tables `teams`, `legs` and `runners`, whole. */
export async function readMaster({ read }: Pick<Database, 'read'>): Promise<Master> {
  const [teams, legs, runners] = await Promise.all([
    read<Team>('SELECT id, name, area, color FROM teams ORDER BY id'),
    read<Leg>('SELECT no, start, finish, metres FROM legs ORDER BY no'),
    read<Runner>('SELECT team_id, leg, name, year FROM runners ORDER BY team_id, leg'),
  ]);
  return { teams, legs, runners };
}
