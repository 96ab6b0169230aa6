const UNITS: Record<string, number> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** Bytes of `64m`, `1.5g`, `500MB`, as Compose reads them (1k is 1024); a bare number is bytes. Undefined for the rest. */
export function parseSize(text: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt])?i?b?$/i.exec(String(text).trim());
  if (!match) return undefined;
  return Math.round(Number(match[1]) * (UNITS[(match[2] ?? 'b').toLowerCase()] ?? 1));
}

/** A size for people: `40 KiB`, `120 MiB`, `1.3 GiB`. */
export function formatSize(bytes: number): string {
  if (bytes < UNITS.m!) return `${Math.round(bytes / UNITS.k!)} KiB`;
  if (bytes < UNITS.g!) return `${Math.round(bytes / UNITS.m!)} MiB`;
  return `${(bytes / UNITS.g!).toFixed(1)} GiB`;
}

/** `1 image`, `2 images`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
