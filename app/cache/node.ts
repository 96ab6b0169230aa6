import { ReplyError, type Redis } from 'ioredis';
import { createBreaker } from '../breaker.ts';
import type { Logger } from '../log.ts';
import { timed } from '../observe/context.ts';
import { openConnection } from './connection.ts';
import { within } from './deadline.ts';
import { checkLifetime } from './lifetime.ts';

/** A cache is worth this much of a visitor's time, in milliseconds; a value that comes later is computed. */
export const DEADLINE_MS = 50;

/** `resting`: it was late several times in a row and is left alone for a moment. */
export type NodeState = 'up' | 'down' | 'resting';

/** One Redis of the shared cache. Every command rejects when it is not answered in time, and costs no more than that. */
export interface CacheNode {
  name: string;
  /** The text under a key, or null. */
  read(key: string): Promise<string | null>;
  /** Stores a text for `lifetimeMs`; without a lifetime it rejects with a TypeError and sends nothing. */
  write(key: string, text: string, lifetimeMs: number): Promise<void>;
  remove(key: string): Promise<void>;
  state(): NodeState;
  /** Resolves when the connection is there or has failed once. */
  settled(): Promise<void>;
  close(): void;
}

/** Connects in the background; until it has, commands are rejected at once. */
export function openNode(url: string, log: Logger, deadlineMs = DEADLINE_MS): CacheNode {
  const { redis, name, settled } = openConnection(url, 'its share of the cache is computed', log);
  const breaker = createBreaker();

  async function send<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    if (redis.status !== 'ready') throw new Error(`cache node ${name} is not connected`);
    if (!breaker.allows()) throw new Error(`cache node ${name} is left alone`);
    try {
      const answer = await timed('cache', () => within(deadlineMs, command(redis)));
      breaker.answered();
      return answer;
    } catch (error) {
      if (error instanceof ReplyError) breaker.answered(); // it refuses (full, loading), but in time
      else breaker.late();
      throw error;
    }
  }

  return {
    name,
    read: (key) => send((to) => to.get(key)),
    async write(key, text, lifetimeMs) {
      checkLifetime(lifetimeMs);
      await send((to) => to.set(key, text, 'PX', lifetimeMs));
    },
    async remove(key) {
      await send((to) => to.unlink(key));
    },
    state: () => (redis.status !== 'ready' ? 'down' : breaker.resting() ? 'resting' : 'up'),
    settled: () => settled,
    close: () => redis.disconnect(),
  };
}
