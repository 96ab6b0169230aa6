import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { docker, eventually } from './containers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const PID_FILE = '/var/run/docker.pid';
const DAEMON_FILE = '/etc/docker/daemon.json';
const STOP_MS = 60_000;
const START_MS = 60_000;

/** Why the engine may not be restarted here: containers of others run on it. Null when it may. */
export async function engineInUseBy(project: string): Promise<string | null> {
  const format =
    '{{.Names}}\t{{.Label "com.docker.compose.project"}}\t{{.Label "com.docker.compose.project.working_dir"}}';
  const lines = (await docker(['ps', '--format', format])).split('\n').filter(Boolean);
  const others = lines.filter((line) => {
    const [, name, folder] = line.split('\t');
    return name !== project && folder !== ROOT;
  });
  return others.length
    ? `containers of others run on this engine: ${others.map((line) => line.split('\t')[0]).join(', ')}`
    : null;
}

/**
 * Stops the engine and starts it again the way it was started: by systemd, or by hand. Its containers go on meanwhile
 * (live-restore), or end with it, whatever this engine is set to.
 */
export async function restartEngine({ containersGoOn }: { containersGoOn: boolean }): Promise<void> {
  const before = await readFile(DAEMON_FILE, 'utf8').catch(() => null);
  try {
    await setLiveRestore(before, containersGoOn);
    await stopAndStart();
  } finally {
    if (before === null) await rm(DAEMON_FILE, { force: true });
    else await writeFile(DAEMON_FILE, before);
    await reload();
  }
}

async function setLiveRestore(before: string | null, on: boolean): Promise<void> {
  const settings = JSON.parse(before ?? '{}') as object;
  await mkdir(dirname(DAEMON_FILE), { recursive: true });
  await writeFile(DAEMON_FILE, JSON.stringify({ ...settings, 'live-restore': on }));
  await reload();
  await eventually('the engine has read its settings', async () => {
    return (await docker(['info', '--format', '{{.LiveRestoreEnabled}}'])) === String(on);
  });
}

async function reload(): Promise<void> {
  process.kill(Number(await readFile(PID_FILE, 'utf8')), 'SIGHUP');
}

async function stopAndStart(): Promise<void> {
  if (existsSync('/run/systemd/system')) {
    await execa('systemctl', ['restart', 'docker'], { timeout: STOP_MS + START_MS });
    return;
  }
  const pid = Number(readFileSync(PID_FILE, 'utf8'));
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  process.kill(pid, 'SIGTERM');
  // Its process may stay as a zombie where nobody waits for it; it removes its pid file at the end.
  await eventually('the engine has ended', async () => !existsSync(PID_FILE), STOP_MS);
  const log = openSync('/var/log/dockerd.log', 'a');
  spawn(words[0] ?? 'dockerd', words.slice(1), { detached: true, stdio: ['ignore', log, log] }).unref();
  await eventually(
    'the engine answers',
    async () => (await docker(['version', '--format', 'up'])) !== '',
    START_MS,
  );
}
