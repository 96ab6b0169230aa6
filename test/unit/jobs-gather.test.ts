import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { createReplies } from '../../app/jobs/gather.ts';
import type { SourceData } from '../../app/jobs/kinds/source.ts';
import { together } from '../../app/jobs/together.ts';

/** A queue that answers as `answer` says, over the channel it is told. */
function fakes(answer: (data: SourceData) => Partial<Record<'value' | 'error', unknown>> | null) {
  const subscriber = Object.assign(new EventEmitter(), { status: 'ready', subscribe: async () => 1 });
  const removed: string[] = [];
  const say = (data: SourceData, what: object): void =>
    void subscriber.emit(
      'message',
      data.channel,
      JSON.stringify({ request: data.request, source: data.source, ...what }),
    );
  const queue = {
    async addBulk(all: { data: SourceData }[]) {
      for (const { data } of all) {
        const what = answer(data);
        if (what) setImmediate(() => say(data, what));
      }
    },
    remove: async (id: string) => void removed.push(id.slice(-1)),
  };
  const replies = createReplies(subscriber as unknown as Redis, queue as unknown as Queue);
  return { replies, removed, say };
}

const ask = (...names: string[]) => names.map((source) => ({ source, delay: 0, fail: false }));

test('a gathering ends with the last answer, and not at the deadline', async () => {
  const { replies, removed } = fakes(({ source }) => ({ value: source }));
  const { values, missing, ms } = await replies.gather(ask('a', 'b'), 60_000);
  assert.deepEqual([values, missing, removed], [{ a: 'a', b: 'b' }, [], []]);
  assert.ok(ms < 10_000);
});

test('at the deadline a gathering has what came, says what did not, and takes those jobs away', async () => {
  const { replies, removed } = fakes(({ source }) =>
    source === 'a' ? { value: 1 } : source === 'b' ? { error: 'broken' } : null,
  );
  const { values, missing } = await replies.gather(ask('a', 'b', 'c'), 50);
  assert.deepEqual(values, { a: 1 });
  assert.deepEqual(missing, [
    { source: 'b', reason: 'broken' },
    { source: 'c', reason: 'late' },
  ]);
  assert.deepEqual(removed, ['c']);
});

test('answers that are late, double or of another gathering change nothing', async () => {
  let last: SourceData | undefined;
  const { replies, say } = fakes((data) => ((last = data), { value: data.source }));
  const first = await replies.gather(ask('a'), 1000);
  say(last!, { value: 'late' });
  const second = replies.gather(ask('a', 'b'), 1000);
  say({ ...last!, request: 'another' }, { value: 'foreign' });
  assert.deepEqual((await second).values, { a: 'a', b: 'b' });
  assert.deepEqual(first.values, { a: 'a' });
});

test('several sources of jobs drain together, and their figures add up', async () => {
  const one = (ms: number, answered: number) => ({
    open: async () => {},
    adopt: async () => {},
    drain: async () => ({ ms, answered, cut: 1 }),
    requests: answered,
    connections: 2,
  });
  const both = together([one(5, 1), one(9, 2)]);
  assert.deepEqual([both.requests, both.connections], [3, 4]);
  assert.deepEqual(await both.drain(0), { ms: 9, answered: 3, cut: 2 });
});
