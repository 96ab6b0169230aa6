import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The folder of one project's journal and history: `$TASUKI_STATE_DIR` or `$XDG_STATE_HOME/tasuki` or
 * `~/.local/state/tasuki`, then the project's name. Made when it is not there.
 */
export async function stateFolder(env: Record<string, string | undefined>, project: string): Promise<string> {
  const folder = statePath(env, project);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Where that folder is, made or not. */
export function statePath(env: Record<string, string | undefined>, project: string): string {
  const base = env.TASUKI_STATE_DIR ?? join(env.XDG_STATE_HOME ?? join(homedir(), '.local/state'), 'tasuki');
  return join(base, project);
}
