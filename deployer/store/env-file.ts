import { open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseEnv } from 'node:util';

/** The variables of a `.env` file; none when there is no file. */
export async function readEnvFile(file: string): Promise<Record<string, string | undefined>> {
  return parseEnv(await readText(file));
}

/**
 * Sets variables in a `.env` file and leaves every other line as it is. Written to a temporary file, synced, renamed:
 * killed at any point, the file is the old one or the new one.
 */
export async function setInEnvFile(file: string, values: Record<string, string>): Promise<void> {
  const text = await readText(file);
  const next = setVariables(text, values);
  if (next !== text) await replaceFile(file, next);
}

/** The text of a `.env` file with the variables set; the last assignment of each is changed, or a line added. */
export function setVariables(text: string, values: Record<string, string>): string {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  for (const [name, value] of Object.entries(values)) {
    const at = lines.findLastIndex((line) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`).test(line));
    if (at === -1) lines.push(`${name}=${value}`);
    else lines[at] = `${name}=${value}`;
  }
  return `${lines.join('\n')}\n`;
}

/** Replaces a file in one step, keeping its mode. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const mode = await stat(path).then(
    (info) => info.mode & 0o777,
    () => 0o644,
  );
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readText(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}
