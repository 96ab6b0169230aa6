import { hash } from 'node:crypto';

/** Points of each node on the ring: with 160, the shares of up to 8 nodes are within 30 % of an even one. */
const POINTS = 160;
/** A SHA-256 is eight points of 32 bits. */
const POINTS_PER_HASH = 8;

interface Point {
  at: number;
  node: string;
}

/**
 * Consistent hashing: says which of `nodes` (names, in any order) a key belongs to; undefined when there are none.
 *
 * Each node has points on a ring of 32 bits, and a key belongs to the next point after its own hash. A node that is
 * taken out leaves its points' share to others; no other key moves. The names decide, so every process that is given
 * the same ones agrees. Throws a TypeError when a name is there twice.
 */
export function createRing(nodes: readonly string[]): (key: string) => string | undefined {
  if (new Set(nodes).size !== nodes.length)
    throw new TypeError(`a cache node is named twice: ${nodes.join(', ')}`);
  if (nodes.length <= 1) return () => nodes[0];
  const ring = nodes.flatMap(pointsOf).toSorted((a, b) => a.at - b.at || (a.node < b.node ? -1 : 1));
  return (key) => ring[firstFrom(ring, hash('sha256', key, 'buffer').readUInt32BE(0))]?.node;
}

function pointsOf(node: string): Point[] {
  const points: Point[] = [];
  for (let part = 0; part < POINTS / POINTS_PER_HASH; part++) {
    const digest = hash('sha256', `${node} ${part}`, 'buffer');
    for (let n = 0; n < POINTS_PER_HASH; n++) points.push({ at: digest.readUInt32BE(n * 4), node });
  }
  return points;
}

/** The index of the first point at `at` or after it; past the last one the ring begins again. */
function firstFrom(ring: Point[], at: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ring[middle]?.at ?? 0) < at) low = middle + 1;
    else high = middle;
  }
  return low % ring.length;
}
