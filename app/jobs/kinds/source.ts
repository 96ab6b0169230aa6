import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../../db/pool.ts';
import type { Kind } from '../process.ts';

/** A job of `/aggregate`. */
export interface SourceData {
  source: string;
  /** Milliseconds it takes, as if it were far away. */
  delay: number;
  fail: boolean;
  /** Unix time in milliseconds; after that nobody waits for it. */
  until: number;
  /** Where the request waits. */
  channel: string;
  request: string;
  /** Of the HTTP request, for the log. */
  requestId?: string;
}

/** What is said on the channel, once for each source. */
export type SourceReply = { request: string; source: string } & ({ value: unknown } | { error: string });

const WEATHER = ['clear', 'cloudy', 'light snow', 'head wind', 'tail wind'];

/**
 * One slow source. Its answer goes straight to the process that waits for it: Redis keeps nothing of it, and if nobody listens
 * any more it is gone.
 */
export const source: Kind = {
  writes: false,
  async run({ data, signal, tools }) {
    const { source: name, delay, fail, until, channel, request } = data as unknown as SourceData;
    if (Date.now() > until) return 'too late';
    const reply = (what: { value: unknown } | { error: string }): Promise<number> =>
      tools.redis.publish(channel, JSON.stringify({ request, source: name, ...what } satisfies SourceReply));
    try {
      await wait(delay, undefined, { signal });
      if (fail) throw new Error(`${name} was asked to fail`);
      await reply({ value: await look(name, tools.database) });
      return 'sent';
    } catch (error) {
      if (!signal.aborted) await reply({ error: (error as Error).message });
      throw error;
    }
  },
};

/** `leg-1` to `leg-10`: the split times of a leg; `weather` and `road`: made up for the hour. */
async function look(name: string, database: Database): Promise<unknown> {
  const hour = Math.floor(Date.now() / 3_600_000);
  if (name === 'weather') return { sky: WEATHER[hour % WEATHER.length], celsius: (hour % 12) - 2 };
  if (name === 'road') return { state: hour % 5 === 0 ? 'wet' : 'dry', closed: [] };
  const leg = Number(/^leg-(\d+)$/.exec(name)?.[1]);
  if (!leg) throw new Error(`there is no source ${name}`);
  const [row] = await database.read<{ finished: number; best: number | null }>(
    'SELECT COUNT(*) AS finished, MIN(seconds) AS best FROM times WHERE leg = ?',
    [leg],
  );
  return row;
}
