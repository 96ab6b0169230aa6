import { loadConfig, type Config } from '../config.ts';
import { findPod } from '../core/observe.ts';
import { formatDuration } from '../duration.ts';
import { Engine } from '../engine/docker.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { HookSettings } from '../hooks/schema.ts';
import type { Globals } from '../run.ts';
import { deploySchema } from '../schema.ts';
import { statePath } from '../store/paths.ts';

/** One setting with where it comes from. */
interface Setting {
  value: unknown;
  /** The Compose file says nothing about it. */
  default: boolean;
}

/** Settings in milliseconds. */
const DURATIONS = ['timeout', 'drain-timeout', 'settle', 'watch', 'keep', 'migrate-timeout'];

/**
 * `deploy config`: what is in effect after files, variables and defaults; changes nothing, and needs no engine (then the
 * published address is not known). Options of a single run, such as --timeout, are not part of it.
 */
export async function config(globals: Globals): Promise<ExitCode> {
  const found = await loadConfig(globals);
  const settings = effective(found);
  const url = found.settings.url ?? (await published(found));
  const state = statePath(globals.env, found.project);
  const { files, project, directory, envFile, image, scale } = found;
  if (globals.json) {
    const all = { project, files, directory, envFile, image, scale, url, state, settings };
    globals.print(JSON.stringify({ v: 1, type: 'config', ...all }));
    return EXIT.done;
  }
  const rows: [string, string][] = [
    ['project', project],
    ...files.map((file): [string, string] => ['file', file]),
    ['variables', envFile],
    ['image', image || 'none'],
    ['scale', String(scale)],
    ['url', url ?? 'not known: the stack is not up'],
    ['state', state],
  ];
  for (const [name, value] of rows) globals.print(`${name.padEnd(10)} ${value}`);
  globals.print('x-deploy');
  for (const [name, { value, default: byDefault }] of Object.entries(settings)) {
    const text = name === 'hooks' ? hookWords(value as Config['settings']['hooks']) : words(name, value);
    globals.print(`  ${name.padEnd(14)} ${text}${byDefault ? '  (default)' : ''}`);
  }
  return EXIT.done;
}

function effective({ settings, given }: Config): Record<string, Setting> {
  const names = Object.keys(deploySchema.shape) as (keyof Config['settings'])[];
  return Object.fromEntries(
    names.map((name) => [name, { value: settings[name] ?? null, default: !given.includes(name) }]),
  );
}

async function published(found: Config): Promise<string | null> {
  const pod = await findPod(new Engine(), found).catch(() => null);
  return pod?.running ? pod.url : null;
}

function words(name: string, value: unknown): string {
  if (value === null) return name === 'url' ? "the pod's published port" : 'none';
  if (DURATIONS.includes(name)) return formatDuration(value as number);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function hookWords(hooks: Partial<Record<string, HookSettings>>): string {
  const lines = Object.entries(hooks).map(
    ([name, one]) => `${name}: ${JSON.stringify(one?.command)}, at most ${formatDuration(one?.timeout ?? 0)}`,
  );
  return lines.length ? lines.join(`\n${' '.repeat(17)}`) : 'none';
}
