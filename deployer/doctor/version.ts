/** The leading numbers of a version: `26.1.5+dfsg1` is [26, 1, 5], `v0.13` is [0, 13, 0]. */
export function parseVersion(text: string): [number, number, number] {
  const [, major = '0', minor = '0', patch = '0'] = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text) ?? [];
  return [Number(major), Number(minor), Number(patch)];
}

/** True when `text` is this version or a later one. */
export function atLeast(text: string, major: number, minor = 0): boolean {
  const [a, b] = parseVersion(text);
  return a > major || (a === major && b >= minor);
}

/** The oldest Compose that reads all our files: from 2.24 on an override can take something away (`!reset`). */
export const MIN_COMPOSE = [2, 24] as const;
