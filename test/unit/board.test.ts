import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Master } from '../../app/db/teams.ts';
import { clock, standings } from '../../app/web/board.ts';

const teamOf = (id: number) => ({ id, name: `Team ${id}`, area: 'Kanto', color: '#000000' });
const legOf = (no: number) => ({ no, start: 'a', finish: 'b', metres: 20_000 });
const MASTER: Master = {
  teams: [1, 2, 3, 4].map(teamOf),
  legs: [1, 2].map(legOf),
  runners: [{ team_id: 1, leg: 1, name: 'Ren', year: 3 }],
};
const time = (team: number, no: number, seconds: number) => ({ team_id: team, leg: no, seconds });

void test('more legs are ahead of fewer, and less time of more', () => {
  const order = standings(MASTER, [
    time(1, 1, 100),
    time(2, 1, 90),
    time(2, 2, 120),
    time(3, 1, 95),
    time(3, 2, 100),
  ]);
  assert.deepEqual(
    order.map(({ rank, team: { id }, legs, total }) => [rank, id, legs, total]),
    [
      [1, 3, 2, 195],
      [2, 2, 2, 210],
      [3, 1, 1, 100],
      [4, 4, 0, 0],
    ],
  );
});

void test('the gap is to whoever was first at the end of the same leg', () => {
  const order = standings(MASTER, [time(1, 1, 100), time(2, 1, 90), time(2, 2, 120)]);
  assert.deepEqual(
    order.map(({ team: { id }, gap }) => [id, gap]),
    [
      [2, 0],
      [1, 10],
      [3, 0],
      [4, 0],
    ],
  );
});

void test('the fastest of a leg is marked, the runner is named, and a missing time ends the count', () => {
  const order = standings(MASTER, [time(1, 1, 100), time(2, 1, 90), time(3, 2, 80)]);
  const stages = (id: number) => order.find((one) => one.team.id === id)!.stages;
  assert.deepEqual([stages(1)[0]?.best, stages(2)[0]?.best], [false, true]);
  assert.equal(stages(1)[0]?.runner?.name, 'Ren');
  assert.equal(order.find((one) => one.team.id === 3)?.legs, 0, 'leg 2 without leg 1 is no leg');
});

void test('a race that has not begun and one without teams are boards too', () => {
  assert.deepEqual(standings({ teams: [], legs: [], runners: [] }, []), []);
  assert.equal(standings(MASTER, []).length, 4);
});

void test('a clock shows hours only when there are some', () => {
  assert.deepEqual([0, 59, 61, 3599, 3600, 36_061].map(clock), [
    '0:00',
    '0:59',
    '1:01',
    '59:59',
    '1:00:00',
    '10:01:01',
  ]);
});
