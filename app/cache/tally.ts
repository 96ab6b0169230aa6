import { namespaceOf } from './keys.ts';

/** Keys that did not come from the shared cache. */
export const OTHER = '(other)';

/** What is known of the keys of one namespace and version. */
export interface SurveyedNamespace {
  /** `name:vN`, or OTHER. */
  namespace: string;
  keys: number;
  /** Redis's memory for them, overhead included: the mean of the sample times `keys`, so exact when all were sampled. */
  bytes: number;
  /** Keys whose size was asked for. */
  sampled: number;
  /** Remaining lifetimes in milliseconds; null when no key has one. */
  shortestMs: number | null;
  longestMs: number | null;
  /** Must be 0. */
  withoutLifetime: number;
}

/** Adds up keys by namespace. */
export interface Tally {
  /** Whether to ask for this key's size: yes for the first keys of each namespace. */
  wantsSize(key: string): boolean;
  /** `pttl` is what PTTL answered: milliseconds, -1 without lifetime, -2 when the key is gone, which is not counted. */
  add(key: string, pttl: number, bytes: number | null): void;
  /** Sorted by name. */
  namespaces(): SurveyedNamespace[];
}

/** Empty; `sample` is for how many keys of each namespace sizes are asked. */
export function createTally(sample: number): Tally {
  const groups = new Map<string, SurveyedNamespace>();
  const asked = new Map<string, number>();
  const nameOf = (key: string): string => namespaceOf(key) ?? OTHER;
  return {
    wantsSize(key) {
      const before = asked.get(nameOf(key)) ?? 0;
      if (before >= sample) return false;
      asked.set(nameOf(key), before + 1);
      return true;
    },
    add(key, pttl, bytes) {
      if (pttl === -2) return;
      const name = nameOf(key);
      const group = groups.get(name) ?? emptyGroup(name);
      groups.set(name, group);
      group.keys += 1;
      if (bytes !== null) {
        group.sampled += 1;
        group.bytes += bytes;
      }
      if (pttl === -1) {
        group.withoutLifetime += 1;
      } else {
        group.shortestMs = Math.min(group.shortestMs ?? Infinity, pttl);
        group.longestMs = Math.max(group.longestMs ?? 0, pttl);
      }
    },
    namespaces: () =>
      [...groups.values()]
        .map((group) => ({ ...group, bytes: Math.round((group.bytes / (group.sampled || 1)) * group.keys) }))
        .toSorted((a, b) => (a.namespace < b.namespace ? -1 : 1)),
  };
}

function emptyGroup(namespace: string): SurveyedNamespace {
  return {
    namespace,
    keys: 0,
    bytes: 0,
    sampled: 0,
    shortestMs: null,
    longestMs: null,
    withoutLifetime: 0,
  };
}
