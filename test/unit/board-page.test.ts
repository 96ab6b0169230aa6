import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBoardPage } from '../../app/web/board-page.ts';

type Deps = Parameters<typeof createBoardPage>[0];

/** A board whose cheers are `texts` at the moment they are read. */
function board(texts: string[]) {
  let reads = 0;
  const cheerOf = (text: string, seq: number) => ({
    seq,
    id: `c${seq}`,
    team_id: null,
    text,
    release_id: 'v1',
    at: new Date(0),
  });
  const page = createBoardPage({
    release: 'v1',
    master: { get: async () => ({ teams: [], legs: [], runners: [] }) },
    database: { read: async () => [] },
    cheers: {
      latest: async () => {
        reads += 1;
        return { cheers: texts.map(cheerOf), count: { total: texts.length, byTeam: new Map() } };
      },
    },
  } as unknown as Deps);
  return { page, reads: () => reads };
}

void test('visitors who come together share one read, and each sees what was written before he came', async () => {
  const texts = ['early'];
  const { page, reads } = board(texts);
  const first = page();
  texts.push('late');
  const others = await Promise.all(Array.from({ length: 50 }, () => page()));
  assert.doesNotMatch((await first).toString(), /late/, 'the control: a read under way does not see it');
  for (const html of others) assert.match(html.toString(), /late/);
  assert.equal(reads(), 2);
  await page();
  assert.equal(reads(), 3, 'nothing is kept for those who come afterwards');
});

void test('a notice is seen by whom it is for', async () => {
  const { page } = board([]);
  const [plain, said, again] = await Promise.all([page(), page('It is on the board.'), page()]);
  assert.match(said.toString(), /It is on the board/);
  for (const html of [plain, again]) assert.doesNotMatch(html.toString(), /It is on the board/);
});
