import { createFlights } from './flights.ts';
import { toJson, type Json } from './json.ts';
import { fullKey, prefixOf } from './keys.ts';
import { checkJitter, checkTtl, lifetimeOf } from './lifetime.ts';
import type { CacheNode } from './node.ts';

const MAX_BYTES = 64 * 1024;
const JITTER = 0.1;

export interface NamespaceOptions {
  /** a-z, 0-9 and -; keys are `name:vN:key`. */
  name: string;
  /** Raise it when what is stored changes shape: releases side by side then do not read each other's values. */
  version: number;
  /** How long a value is kept at most, in seconds. There is no default, and no "for ever". */
  ttlSeconds: number;
  /** The part of the lifetime, from 0 to below 1, by which it is shortened at random. */
  jitter?: number;
  /** Bytes of JSON a value may have; a larger one is computed each time. */
  maxBytes?: number;
}

/** Counted since the process began. */
export interface Counters {
  hits: number;
  /** Lookups that found nothing, for whatever reason. */
  misses: number;
  /** Callers who shared what another was already looking up. */
  joined: number;
  /** Commands that were not answered in time or refused, or not sent because their node is down or left alone. */
  errors: number;
  /** Values that were not stored because of `maxBytes`. */
  tooLarge: number;
}

/** Values of one kind in the shared cache. A cache that is down or slow is a miss; nothing here throws because of it. */
export interface Namespace<T> {
  /**
   * The value under `key`; computed, stored and answered when there is none. Callers in this process who ask at the
   * same time share one computation and one object, so do not change it. Rejects only with what `compute` rejects with.
   */
  get(key: string, compute: () => T | Promise<T>): Promise<Json<T>>;
  /** The value if it is there. */
  peek(key: string): Promise<Json<T> | undefined>;
  /**
   * Takes the value away. False when its node did not confirm it, and when another process computed the value from
   * what was before, it may store it after this; in both cases the lifetime says how long it is served at most.
   */
  drop(key: string): Promise<boolean>;
}

/** `nodeOf` says where a key is; undefined when there is no node at all. Throws a TypeError when an option is bad. */
export function createNamespace<T>(
  options: NamespaceOptions,
  nodeOf: (key: string) => CacheNode | undefined,
): { namespace: Namespace<T>; counters: Counters } {
  const { name, version, ttlSeconds, jitter = JITTER, maxBytes = MAX_BYTES } = options;
  const prefix = prefixOf(name, version);
  checkTtl(ttlSeconds);
  checkJitter(jitter);
  if (!(maxBytes > 0)) throw new TypeError(`maxBytes must be above 0, not ${String(maxBytes)}`);
  const counters: Counters = { hits: 0, misses: 0, joined: 0, errors: 0, tooLarge: 0 };
  const flights = createFlights();

  async function read(full: string): Promise<Json<T> | undefined> {
    try {
      const text = await nodeOf(full)?.read(full);
      if (typeof text === 'string') {
        const value = JSON.parse(text) as Json<T>;
        counters.hits += 1;
        return value;
      }
    } catch {
      counters.errors += 1; // no answer, or no JSON
    }
    counters.misses += 1;
    return undefined;
  }

  /** Nobody waits for this. */
  async function store(full: string, text: string): Promise<void> {
    if (Buffer.byteLength(text) > maxBytes) {
      counters.tooLarge += 1;
      return;
    }
    try {
      await nodeOf(full)?.write(full, text, lifetimeOf(ttlSeconds, jitter));
    } catch {
      counters.errors += 1;
    }
  }

  async function look(full: string, compute: () => T | Promise<T>, valid: () => boolean): Promise<Json<T>> {
    const found = await read(full);
    if (found !== undefined) return found;
    const { text, value } = toJson<T>(await compute());
    if (text !== undefined && valid()) void store(full, text);
    return value;
  }

  const namespace: Namespace<T> = {
    get(key, compute) {
      const full = fullKey(prefix, key);
      const underWay = flights.join<Json<T>>(full);
      if (underWay) {
        counters.joined += 1;
        return underWay;
      }
      return flights.start(full, (valid) => look(full, compute, valid));
    },
    peek: (key) => read(fullKey(prefix, key)),
    async drop(key) {
      const full = fullKey(prefix, key);
      flights.forget(full); // what is being computed may be of before
      try {
        await nodeOf(full)?.remove(full);
        return true;
      } catch {
        counters.errors += 1;
        return false;
      }
    },
  };
  return { namespace, counters };
}
