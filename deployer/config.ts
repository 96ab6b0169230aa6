import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findComposeFiles } from './compose-files.ts';
import { IMAGE_VARIABLE } from './contract.ts';
import { DeployError, EXIT } from './errors.ts';
import { fillIn, imageOf, namedImages, type Values } from './fill-in.ts';
import { deploySchema, type DeploySettings } from './schema.ts';
import { proxyServiceOf, type ProxyService } from './proxy/service.ts';
import { canSetScale, scaleKeyOf, scaleOf } from './scale.ts';
import { checkServices, type Service } from './services.ts';
import { readEnvFile } from './store/env-file.ts';
import { checkStrategy } from './strategy.ts';
import { parseYaml } from './yaml.ts';

/** What the command line and the environment say about the project. */
export interface ProjectOptions {
  files: string[];
  project?: string | undefined;
  cwd: string;
  env: Record<string, string | undefined>;
}

/** A Compose project that `deploy` can work on. */
export interface Config {
  /** Absolute paths, in the order Compose merges them. */
  files: string[];
  directory: string;
  project: string;
  settings: DeploySettings;
  /** The settings that the files name; the others are at their default. */
  given: string[];
  /** `.env` beside the first Compose file. */
  envFile: string;
  /** The image `docker compose up` would use now. */
  image: string;
  /** Images that any service is made of, by the environment, by `.env` alone, or by the file alone. */
  named: string[];
  /** The one that the Compose file itself names; empty when it names none. */
  defaultImage: string;
  /** The file says more of how the image is built than that its Dockerfile is here: Compose must build it. */
  isBuiltByCompose: boolean;
  /** How many containers of the service `docker compose up` would run now. */
  scale: number;
  /** Where the file has that. */
  scaleKey: 'scale' | 'deploy.replicas';
  /** A deploy can change it. */
  canSetScale: boolean;
  /** Null where the files have none, or it has no image. */
  proxy: ProxyService | null;
}

/** What is read of one Compose file. */
export interface ComposeFile {
  name?: unknown;
  services?: Record<string, Service | null>;
  networks?: unknown;
  'x-deploy'?: unknown;
}

/** Compose's own rule. */
const PROJECT_NAME = /^[a-z0-9][a-z0-9_-]*$/;

/** Reads and checks the project; throws one error (exit 78) that lists every problem. */
export async function loadConfig(options: ProjectOptions): Promise<Config> {
  const { cwd } = options;
  // Compose looks for COMPOSE_FILE where it is started.
  const files = await findComposeFiles(options.files, cwd, {
    ...(await readEnv(join(cwd, '.env'))),
    ...options.env,
  });
  const directory = dirname(files[0] ?? cwd);
  const documents = await Promise.all(files.map((file) => readCompose(file)));
  const compose = merge(documents);
  const envFile = join(directory, '.env');
  const ownEnv = await readEnv(envFile);
  const env = { ...ownEnv, ...options.env };
  const problems: string[] = [];

  const parsed = deploySchema.safeParse(compose['x-deploy'] ?? {});
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const known =
        issue.code === 'unrecognized_keys' ? `; known are ${Object.keys(deploySchema.shape).join(', ')}` : '';
      problems.push(
        `x-deploy${issue.path.length ? `.${issue.path.join('.')}` : ''}: ${issue.message}${known}`,
      );
    }
  }
  const settings = parsed.success ? parsed.data : deploySchema.parse({});
  problems.push(...checkServices(compose.services ?? {}, settings));
  const app = compose.services?.[settings.service] ?? {};
  const scale = scaleOf(app, env);
  if (scale === null)
    problems.push(`services.${settings.service}.scale must be a number of containers, 1 to 64`);
  problems.push(...checkStrategy(compose.services ?? {}, settings, { values: env, scale }));
  const project = options.project ?? (env.COMPOSE_PROJECT_NAME || projectName(compose.name, directory, env));
  if (!PROJECT_NAME.test(project)) throw badName(project, options.project !== undefined);
  if (problems.length) throw invalid(files, problems);

  const image = String(app.image);
  const defaultImage = /:-([^}]*)\}/.exec(image)?.[1] ?? '';
  return {
    files,
    directory,
    project,
    settings,
    given: isMapping(compose['x-deploy']) ? Object.keys(compose['x-deploy']) : [],
    envFile,
    image: env[IMAGE_VARIABLE] || defaultImage,
    defaultImage,
    isBuiltByCompose: app.build !== undefined && app.build !== '.' && app.build !== './',
    scale: scale ?? 1,
    scaleKey: scaleKeyOf(app),
    canSetScale: canSetScale(app),
    proxy: proxyServiceOf({ image: await imageOf(compose.services?.[settings.proxy], env, directory) }, env),
    named: await namedImages(compose.services ?? {}, [env, ownEnv, {}], directory),
  };
}

/** Reads one Compose file; what cannot be understood is an error that says where. */
export async function readCompose(file: string): Promise<ComposeFile> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable('the Compose file', file, error);
  });
  try {
    const document = parseYaml(text);
    if (!isMapping(document)) throw new TypeError('it is empty or not a mapping');
    if (!isMapping(document.services ?? {})) throw new TypeError('"services" is not a mapping');
    return document;
  } catch (error) {
    const [reason = ''] = (error as Error).message.split('\n');
    throw new DeployError({
      code: 'COMPOSE_FILE_INVALID',
      exit: EXIT.config,
      what: `cannot understand the Compose file: ${reason.replace(/:$/, '')}`,
      subject: file,
      next: `correct it there; to check it: docker compose -f ${file} config`,
    });
  }
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The variables of a `.env` file; none when there is no file. */
export async function readEnv(file: string): Promise<Values> {
  return await readEnvFile(file).catch((error: unknown) => {
    throw unreadable('the .env file', file, error);
  });
}

/** Why a file cannot be read, by the system's code, and what to do. */
function unreadable(which: string, file: string, error: unknown): DeployError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, [string, string]> = {
    ENOENT: ['it does not exist', 'correct the name after -f, or go to the folder of your project'],
    EACCES: ['no permission', 'run as a user who may read it, or change its mode with chmod'],
    EISDIR: ['it is a folder', 'name the file in it'],
  };
  const [reason, next] = reasons[code] ?? [message, 'look at the file and its disk'];
  const details = { code: 'FILE_UNREADABLE', exit: EXIT.config, subject: file, next };
  return new DeployError({ ...details, what: `cannot read ${which}: ${reason}` });
}

function asMapping(value: unknown): Record<string, unknown> {
  return isMapping(value) ? value : {};
}

/**
 * Enough of Compose's merge for what is read here: later files win key by key. Also in `x-deploy`, which Compose takes as a whole
 * from the last file that has one: what an override does not name stays.
 */
export function merge(documents: ComposeFile[]): ComposeFile {
  const result: ComposeFile = { services: {} };
  for (const document of documents) {
    for (const [name, service] of Object.entries(document.services ?? {})) {
      const before = result.services![name];
      result.services![name] = {
        ...before,
        ...service,
        environment: [before?.environment, service?.environment], // merged by name; only looked through here
        volumes: [before?.volumes, service?.volumes],
        deploy: { ...asMapping(before?.deploy), ...asMapping(service?.deploy) },
      };
    }
    if (document.name !== undefined) result.name = document.name;
    const [before, deploy] = [result['x-deploy'], document['x-deploy']];
    if (deploy !== undefined)
      result['x-deploy'] = isMapping(before) && isMapping(deploy) ? { ...before, ...deploy } : deploy;
  }
  return result;
}

function invalid(files: string[], problems: string[]): DeployError {
  return new DeployError({
    code: 'BAD_CONFIG',
    exit: EXIT.config,
    what:
      problems.length === 1
        ? `the project is not ready: ${problems[0]}`
        : `the project is not ready (${problems.length} problems)`,
    subject: files.join(', '),
    next: 'correct the file; docs/settings.md lists the keys, compose.yaml of tasuki is a complete example',
    evidence: problems.length === 1 ? [] : problems,
  });
}

function badName(project: string, asked: boolean): DeployError {
  return new DeployError({
    code: 'BAD_PROJECT_NAME',
    exit: asked ? EXIT.usage : EXIT.config,
    what: `"${project}" is not a Compose project name: small letters, digits, - and _, a letter or digit first`,
    next: asked
      ? 'give another after -p'
      : 'name it with -p, with COMPOSE_PROJECT_NAME, or with name: in the file',
  });
}

/** Compose's own rule: `name:`, else the folder's name in lower case with only [a-z0-9_-]. */
export function projectName(name: unknown, directory: string, env: Values): string {
  return normal(typeof name === 'string' ? fillIn(name, env) : basename(directory));
}

function normal(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');
}
