import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa, ExecaError } from 'execa';
import type { Config } from '../config.ts';
import { IMAGE_VARIABLE, RELEASE_VARIABLE } from '../contract.ts';
import { DeployError } from '../errors.ts';
import { REVISION_LABEL } from './image-facts.ts';

const CREATE_TIMEOUT_MS = 60_000;
const BUILD_TIMEOUT_MS = 30 * 60_000;

interface Created {
  /** The service that is handed over, when it is not named. */
  service?: string;
  release: string;
  image: string;
  /** How many containers of the service there are then. */
  scale: number;
}

/** Lets Compose create containers of a service for `release` and `image`, up to `scale` of them. */
export async function createContainer(
  config: Config,
  { service = config.settings.service, release, image, scale }: Created,
  signal?: AbortSignal,
): Promise<void> {
  await scaleUp(config, { service, scale }, { [IMAGE_VARIABLE]: image, [RELEASE_VARIABLE]: release }, signal);
}

/**
 * Lets Compose create containers of a service, up to `scale` of them; `variables` go before those of `.env`. Only Compose knows the
 * labels and the hash by which `docker compose up -d` will later recognise them; the others are left alone (`--no-recreate`).
 */
export async function scaleUp(
  config: Config,
  { service, scale }: { service: string; scale: number },
  variables: Record<string, string>,
  signal?: AbortSignal,
): Promise<void> {
  const args = [
    'create',
    '--no-recreate',
    '--pull',
    'never',
    '--no-build',
    '--scale',
    `${service}=${scale}`,
    service,
  ];
  try {
    const [command, ...words] = composeCommand();
    await execa(command, [...words, ...projectArgs(config), ...args], {
      cwd: config.directory,
      // Compose lives for a tenth of a second: nothing need be collected before it ends.
      env: { GOGC: 'off', ...variables },
      timeout: CREATE_TIMEOUT_MS,
      ...(signal && { cancelSignal: signal }),
      stdin: 'ignore',
      all: true,
    });
  } catch (error) {
    throw composeError('Compose could not create the container', error);
  }
}

/**
 * Builds the service's image under `tag`: by the Dockerfile here, or by Compose where `build:` says more than that. Each line of
 * output goes to `onLine`.
 */
export async function buildImage(
  config: Config,
  tag: string,
  revision: string,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const options = { cwd: config.directory, timeout: BUILD_TIMEOUT_MS, cancelSignal: signal } as const;
  const { service } = config.settings;
  const [command, ...words] = composeCommand();
  // Compose has no flag for a label: it reads one file more, from its input.
  const label = JSON.stringify({
    services: { [service]: { build: { labels: { [REVISION_LABEL]: revision } } } },
  });
  const subprocess = config.isBuiltByCompose
    ? execa(command, [...words, '--progress', 'plain', ...projectArgs(config), '-f', '-', 'build', service], {
        ...options,
        env: { [IMAGE_VARIABLE]: tag },
        input: label,
        all: true,
      })
    : execa(
        'docker',
        ['build', '--progress=plain', '--label', `${REVISION_LABEL}=${revision}`, '--tag', tag, '.'],
        { ...options, stdin: 'ignore', all: true },
      );
  try {
    for await (const line of subprocess.iterable({ from: 'all' })) onLine(line);
    await subprocess;
  } catch (error) {
    throw composeError('the image could not be built', error);
  }
}

/** Where the docker command finds its plugins, in its order (docker/cli, cli-plugins/manager). */
const PLUGIN_FOLDERS = [
  join(process.env.DOCKER_CONFIG || join(homedir(), '.docker'), 'cli-plugins'), // oxlint-disable-line node/no-process-env -- docker's own rule
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
];

/** The Compose plugin, which also runs by itself: going through `docker compose` would cost a process start, 35 ms. */
function composeCommand(): [string, ...string[]] {
  const plugin = PLUGIN_FOLDERS.map((folder) => join(folder, 'docker-compose')).find((file) =>
    existsSync(file),
  );
  return plugin ? [plugin] : ['docker', 'compose'];
}

/** `-p` and `-f` exactly as the user's own `docker compose` would get them. */
function projectArgs(config: Config): string[] {
  return ['-p', config.project, ...config.files.flatMap((file) => ['-f', file])];
}

function composeError(what: string, error: unknown): unknown {
  if (!(error instanceof ExecaError)) return error;
  const missing = error.code === 'ENOENT';
  return new DeployError({
    code: missing ? 'NO_DOCKER_CLI' : 'COMPOSE_FAILED',
    what: missing ? 'the docker command is not installed' : what,
    subject: error.command,
    next: missing
      ? 'npm start installs it, or see: deploy doctor'
      : 'read the lines above; `docker compose config` checks the file',
    evidence: (error.all ?? error.shortMessage).split('\n').slice(-15),
  });
}
