import { atLeast, MIN_COMPOSE } from '../doctor/version.ts';

const TOOL_TIMEOUT_MS = 10_000;

/** Why this machine's Compose cannot read the new file; null when it can, or is not there to be asked. */
export async function oldCompose(): Promise<string | null> {
  const version = await said('docker', ['compose', 'version', '--short'], '/');
  if (version === null || atLeast(version, ...MIN_COMPOSE)) return null;
  return `docker compose ${version} is older than ${MIN_COMPOSE.join('.')}, and does not know !reset: update it`;
}

/** Whether the folder is in a git repository that has a commit, by which `deploy --build` names images. */
export async function hasRevision(folder: string): Promise<boolean> {
  return (await said('git', ['rev-parse', 'HEAD'], folder)) !== null;
}

/** Whether git leaves a file of this folder out. */
export async function ignores(folder: string, file: string): Promise<boolean> {
  return (await said('git', ['check-ignore', file], folder)) !== null;
}

async function said(tool: string, words: string[], cwd: string): Promise<string | null> {
  const { execa } = await import('execa');
  const options = { cwd, timeout: TOOL_TIMEOUT_MS, stdin: 'ignore', reject: false } as const;
  const { exitCode, stdout } = await execa(tool, words, options);
  return exitCode === 0 ? stdout.trim() : null;
}
