import { open, readFile, realpath, rename, stat } from 'node:fs/promises';
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
    const assignment = new RegExp(`^\\s*(export\\s+)?${name}\\s*=`);
    const at = lines.findLastIndex((line) => assignment.test(line));
    if (at === -1) lines.push(`${name}=${value}`);
    else lines[at] = `${assignment.exec(lines[at] ?? '')?.[1] ?? ''}${name}=${value}`;
  }
  return `${lines.join('\n')}\n`;
}

/** Replaces a file in one step, keeping its mode and owner; behind a link, the file that it leads to. */
export async function replaceFile(name: string, text: string): Promise<void> {
  const path = await realpath(name).catch(() => name);
  const was = await stat(path).catch(() => null);
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', was ? 0o600 : 0o644);
  try {
    if (was) {
      // Only root may give a file away; for others it is theirs already.
      if (process.getuid?.() === 0) await file.chown(was.uid, was.gid);
      await file.chmod(was.mode & 0o777);
    }
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
