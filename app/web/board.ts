import type { Leg, Master, Runner, Team } from '../db/teams.ts';
import type { Time } from '../db/times.ts';

/** One team's line on the board. */
export interface Standing {
  rank: number;
  team: Team;
  /** Legs finished. */
  legs: number;
  /** Seconds on the road so far. */
  total: number;
  /** Seconds behind the leader at the end of the same leg; 0 for the leader. */
  gap: number;
  /** One for each leg of the race, in order. */
  stages: Stage[];
}

export interface Stage {
  runner: Runner | null;
  /** Null: not finished yet. */
  seconds: number | null;
  /** Fastest of all on this leg. */
  best: boolean;
}

/** The order of the race: more legs first, then less time. Pure. */
export function standings({ teams, legs, runners }: Master, times: Time[]): Standing[] {
  const taken = new Map(times.map((time) => [key(time.team_id, time.leg), time.seconds]));
  const names = new Map(runners.map((runner) => [key(runner.team_id, runner.leg), runner]));
  const best = new Map<number, number>();
  for (const { leg, seconds } of times) best.set(leg, Math.min(seconds, best.get(leg) ?? Infinity));

  const lines = teams.map((team) => line(team, legs, (leg) => key(team.id, leg), taken, names, best));
  const leaderAt = legs.map(({ no }) => Math.min(...lines.map((one) => one.splits[no - 1] ?? Infinity)));
  return lines
    .toSorted((a, b) => b.legs - a.legs || a.total - b.total || a.team.id - b.team.id)
    .map(({ splits, ...one }, index) => ({
      ...one,
      rank: index + 1,
      gap: one.legs === 0 ? 0 : (splits[one.legs - 1] ?? 0) - (leaderAt[one.legs - 1] ?? 0),
    }));
}

function line(
  team: Team,
  legs: Leg[],
  keyOf: (leg: number) => number,
  taken: Map<number, number>,
  names: Map<number, Runner>,
  best: Map<number, number>,
): Omit<Standing, 'rank' | 'gap'> & { splits: number[] } {
  const stages = legs.map(({ no }) => {
    const seconds = taken.get(keyOf(no)) ?? null;
    return {
      runner: names.get(keyOf(no)) ?? null,
      seconds,
      best: seconds !== null && seconds === best.get(no),
    };
  });
  const splits: number[] = [];
  for (const { seconds } of stages) {
    if (seconds === null) break;
    splits.push((splits.at(-1) ?? 0) + seconds);
  }
  return { team, legs: splits.length, total: splits.at(-1) ?? 0, stages, splits };
}

const key = (team: number, leg: number): number => team * 100 + leg;

/** 3:41:07, or 41:07 below an hour. */
export function clock(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
