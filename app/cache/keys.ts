import { hash } from 'node:crypto';

/** A key may come from a user; what is longer than this many bytes is replaced by its hash. */
const MAX_KEY_BYTES = 200;
const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const FULL_KEY = /^([a-z][a-z0-9-]{0,63}:v[1-9]\d*):/;

/**
 * `name:vN:`, which all keys of a namespace begin with. Another version is another set of keys, so a release that
 * stores another shape never reads what the one beside it wrote. Throws a TypeError when the name or version is bad.
 */
export function prefixOf(name: string, version: number): string {
  if (!NAME.test(name)) throw new TypeError(`a namespace is named by a-z, 0-9 and -, not "${name}"`);
  if (!Number.isSafeInteger(version) || version < 1)
    throw new TypeError(`a version of namespace ${name} is a whole number from 1 on, not ${String(version)}`);
  return `${name}:v${version}:`;
}

/** The key as it is in Redis; a long one ends in `#` and its hash. */
export function fullKey(prefix: string, key: string): string {
  const short = key.length <= MAX_KEY_BYTES && Buffer.byteLength(key) <= MAX_KEY_BYTES;
  return short ? prefix + key : `${prefix}#${hash('sha256', key, 'base64url')}`;
}

/** The namespace and version a key belongs to (`name:vN`), or null when the shared cache did not write it. */
export function namespaceOf(key: string): string | null {
  return FULL_KEY.exec(key)?.[1] ?? null;
}
