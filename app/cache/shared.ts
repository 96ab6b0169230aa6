import type { Logger } from '../log.ts';
import { createNamespace, type Counters, type Namespace, type NamespaceOptions } from './namespace.ts';
import { openNode, type CacheNode, type NodeState } from './node.ts';
import { createRing } from './ring.ts';

export interface SharedStats {
  /** By name. */
  namespaces: Record<string, Counters>;
  nodes: { name: string; state: NodeState }[];
}

/** The cache that all children and instances share. What it holds may go at any moment. */
export interface Shared {
  /** A kind of values. Throws a TypeError when an option is bad or the name is taken. */
  namespace<T>(options: NamespaceOptions): Namespace<T>;
  stats(): SharedStats;
  /** Resolves when each node is connected or has failed once: before, everything is a miss. */
  settled(): Promise<void>;
  close(): void;
}

/**
 * Over the Redis servers at `urls`, in any order; every process must be given the same ones. A node that is lost is
 * not replaced by another, so the others' keys stay where they are. Without any, values are computed each time, and
 * callers at the same time still share. Throws a TypeError when a URL is bad or there twice.
 */
export function createShared(urls: readonly string[], log: Logger, deadlineMs?: number): Shared {
  const nodes: CacheNode[] = [];
  try {
    for (const url of urls) nodes.push(openNode(url, log, deadlineMs));
    return sharedOver(nodes);
  } catch (error) {
    for (const node of nodes) node.close();
    throw error;
  }
}

/** The same over nodes that are already there. */
export function sharedOver(nodes: readonly CacheNode[]): Shared {
  const ring = createRing(nodes.map(({ name }) => name));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const counters = new Map<string, Counters>();

  function nodeOf(key: string): CacheNode | undefined {
    const name = ring(key);
    return name === undefined ? undefined : byName.get(name);
  }

  return {
    namespace<T>(options: NamespaceOptions) {
      if (counters.has(options.name))
        throw new TypeError(
          `namespace ${options.name} is there already: two would not share what they compute`,
        );
      const made = createNamespace<T>(options, nodeOf);
      counters.set(options.name, made.counters);
      return made.namespace;
    },
    stats: () => ({
      namespaces: Object.fromEntries([...counters].map(([name, counts]) => [name, { ...counts }])),
      nodes: nodes.map((node) => ({ name: node.name, state: node.state() })),
    }),
    async settled() {
      await Promise.all(nodes.map((node) => node.settled()));
    },
    close() {
      for (const node of nodes) node.close();
    },
  };
}
