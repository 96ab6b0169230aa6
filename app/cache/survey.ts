import { Redis } from 'ioredis';
import { redisTls } from '../addresses.ts';
import { messageOf } from '../errors.ts';
import { PREFIX as JOBS } from '../jobs/queues.ts';
import { nameOf } from './connection.ts';
import { within } from './deadline.ts';
import { createTally, type SurveyedNamespace, type Tally } from './tally.ts';

/** Milliseconds; whoever runs a survey waits for it, a visitor does not. */
const COMMAND_MS = 2000;
/** Keys in one round trip: short enough that nobody else waits for it. */
const BATCH = 500;

export interface SurveyOptions {
  /** Keys looked at on each node at most. */
  maxKeys?: number;
  /** Keys whose size is asked for, per namespace; SCAN's order is that of a hash, so the first ones are a fair sample. */
  sample?: number;
  /** For how long each node is looked at, in milliseconds. */
  maxMs?: number;
}

export interface SurveyedNode {
  node: string;
  /** Keys looked at. */
  keys: number;
  /** False when there may be more. */
  complete: boolean;
  /** What went wrong, or null. */
  problem: string | null;
}

export interface Survey {
  nodes: SurveyedNode[];
  /** Over all nodes, sorted by name. */
  namespaces: SurveyedNamespace[];
}

/** Looks at what is in the cache, with SCAN, which holds nobody up. A node that does not answer is a `problem`. */
export async function survey(urls: readonly string[], options: SurveyOptions = {}): Promise<Survey> {
  const tally = createTally(options.sample ?? 200);
  const nodes = await Promise.all(urls.map((url) => surveyNode(url, tally, options)));
  return { nodes, namespaces: tally.namespaces() };
}

async function surveyNode(url: string, tally: Tally, options: SurveyOptions): Promise<SurveyedNode> {
  const { maxKeys = 100_000, maxMs = 10_000 } = options;
  const result: SurveyedNode = { node: nameOf(url), keys: 0, complete: false, problem: null };
  const redis = new Redis(url, {
    ...redisTls(url),
    lazyConnect: true,
    connectTimeout: COMMAND_MS,
    retryStrategy: null,
  });
  let reason: unknown;
  redis.on('error', (error) => (reason = error)); // says more than the "connection is closed" that commands reject with
  const seen = new Set<string>(); // SCAN may show a key twice
  const end = performance.now() + maxMs;
  let cursor = '0';
  try {
    await within(COMMAND_MS, redis.connect());
    while (!result.complete && seen.size < maxKeys && performance.now() < end) {
      const [after, found] = await within(COMMAND_MS, redis.scan(cursor, 'COUNT', BATCH));
      const cached = found.filter((key) => !key.startsWith(`${JOBS}:`)); // where there is one Redis for both
      const unseen = [...new Set(cached)].filter((key) => !seen.has(key));
      const keys = unseen.slice(0, maxKeys - seen.size);
      await look(redis, keys, tally);
      for (const key of keys) seen.add(key);
      cursor = after;
      result.complete = cursor === '0' && keys.length === unseen.length;
    }
  } catch (error) {
    result.problem = messageOf(reason ?? error);
  } finally {
    redis.disconnect();
  }
  return { ...result, keys: seen.size };
}

/** The lifetimes of these keys and the sizes of some, in one round trip. */
async function look(redis: Redis, keys: string[], tally: Tally): Promise<void> {
  const sized = new Set(keys.filter((key) => tally.wantsSize(key)));
  const pipeline = redis.pipeline();
  for (const key of keys) pipeline.pttl(key);
  for (const key of sized) pipeline.memory('USAGE', key);
  const answers = (await within(COMMAND_MS, pipeline.exec())) ?? [];
  const numbers = answers.map(([error, answer]) => {
    if (error) throw error;
    return answer as number | null; // MEMORY USAGE of a key that is gone is null
  });
  const sizes = new Map([...sized].map((key, n) => [key, numbers[keys.length + n] ?? null]));
  keys.forEach((key, n) => tally.add(key, numbers[n] ?? -2, sizes.get(key) ?? null));
}
