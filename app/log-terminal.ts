import { styleText } from 'node:util';

/** Loaded only where standard output is a terminal: a person reads, and no program. */

const COLORS: Record<string, Parameters<typeof styleText>[0]> = {
  fatal: 'red',
  error: 'red',
  warn: 'yellow',
  info: 'green',
};

/** A line of the log (JSON) as text: time, level, message, then what belongs to it. What is no JSON stays as it is. */
export function readable(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level, time, msg, err, ...fields } = entry;
  const name = String(level);
  const told = [
    String(time).slice(11, 23), // UTC, as everywhere
    styleText(COLORS[name] ?? 'gray', name.toUpperCase().padEnd(5)),
    harmless(typeof msg === 'string' ? msg : ''),
    styleText(
      'gray',
      Object.entries(fields)
        .flatMap(([key, value]) => pairs(key, value))
        .join(' '),
    ),
  ];
  const { stack } = (err ?? {}) as { stack?: unknown };
  const trace =
    err === undefined ? '' : `\n${harmless(typeof stack === 'string' ? stack : JSON.stringify(err))}`;
  return `${told.join(' ').trimEnd()}${trace}\n`;
}

/** `key=value`, and for an object its own, one for each. */
function pairs(key: string, value: unknown): string[] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.entries(value).flatMap(([inner, one]) => pairs(`${key}.${inner}`, one));
  const text = typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return [`${harmless(key)}=${harmless(text)}`];
}

/** What clients send gets into the log; at a terminal it could move the cursor, and more. */
function harmless(text: string): string {
  return text.replaceAll(
    /(?!\n)\p{Cc}/gu,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
