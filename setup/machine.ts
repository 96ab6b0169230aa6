import { access, constants, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AptSource, parseDeb822, parseOneLine } from './apt-sources.ts';
import { SetupError } from './errors.ts';
import { capture, run } from './run.ts';
import type { Context, Output } from './step.ts';

/** Facts about this machine, and the package manager. */

export interface Machine {
  /** `debian`, `ubuntu`, or what else /etc/os-release says. */
  id: string;
  /** `12`, `24.04`; empty on a rolling release. */
  version: string;
  codename: string;
  name: string;
  root: boolean;
  systemd: boolean;
}

const aptMinutes = 15 * 60_000;

/** Reads what the machine is. */
export async function readMachine(): Promise<Machine> {
  const release = parseOsRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
  return {
    id: release.get('ID') ?? process.platform,
    version: release.get('VERSION_ID') ?? '',
    codename: release.get('VERSION_CODENAME') ?? '',
    name: release.get('PRETTY_NAME') ?? process.platform,
    root: process.getuid?.() === 0,
    systemd: await exists('/run/systemd/system'),
  };
}

/** Key and value pairs of /etc/os-release. */
export function parseOsRelease(text: string): Map<string, string> {
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    const pair = /^([A-Z_]+)=(["']?)(.*)\2$/.exec(line.trim());
    return pair ? [[pair[1] ?? '', pair[3] ?? '']] : [];
  });
  return new Map(pairs);
}

/** All apt sources of the machine but those that this set-up wrote. */
export async function readAptSources(ownFile: string, directory = '/etc/apt'): Promise<AptSource[]> {
  const parts = join(directory, 'sources.list.d');
  const names = (await readdir(parts).catch(() => [])).toSorted((a, b) => a.localeCompare(b));
  const files = [join(directory, 'sources.list'), ...names.map((name) => join(parts, name))];
  const sources = await Promise.all(
    files
      .filter((file) => file !== ownFile && /\.(list|sources)$/.test(file))
      .map(async (file) => {
        const text = await readFile(file, 'utf8').catch(() => '');
        return file.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text);
      }),
  );
  return sources.flat();
}

/** Brings the package lists up to date and installs packages, without anything that is only recommended. */
export async function aptInstall(
  packages: readonly string[],
  context: Context,
  output: Output,
): Promise<void> {
  const options = {
    signal: context.signal,
    env: { ...context.env, DEBIAN_FRONTEND: 'noninteractive' },
    onLine: (line: string) => output.progress(line),
    timeoutMs: aptMinutes,
    next: 'read the lines above; `apt-get update` must work on this machine. Then start again.',
  };
  const lock = ['-o', 'DPkg::Lock::Timeout=300']; // a fresh cloud machine updates itself in its first minutes
  await run('apt-get', [...lock, 'update'], { ...options, what: 'Reading the package lists' });
  await run('apt-get', [...lock, 'install', '-y', '--no-install-recommends', ...packages], {
    ...options,
    what: `Installing ${packages.join(', ')}`,
  });
}

/** Whether dpkg has a package installed. */
export async function isInstalled(name: string, context: Context): Promise<boolean> {
  const query = await capture('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], {
    timeoutMs: 10_000,
    signal: context.signal,
  });
  return query.ok && query.stdout === 'installed';
}

/** Throws unless packages can be installed here; `byHand` is what a person would install instead. */
export async function requireApt(machine: Machine, byHand: string): Promise<void> {
  const next = `install ${byHand} by hand, then start again.`;
  if (!['debian', 'ubuntu'].includes(machine.id) || !(await exists('/usr/bin/apt-get'))) {
    throw new SetupError(
      `${machine.name} is not Debian or Ubuntu: nothing can be installed on it from here`,
      { next },
    );
  }
  if (!machine.root) {
    throw new SetupError('Installing packages needs root', { next: `run this as root, or ${next}` });
  }
}

/** Whether a path is there. */
export async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

/** Writes a file so that a reader, or a kill, never sees half of it. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const next = `${path}.${process.pid}.new`; // apt ignores names with such an ending
  await writeFile(next, text, { mode: 0o644 });
  await rename(next, path);
}
