import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DeployError, EXIT } from './errors.ts';
import type { Values } from './fill-in.ts';

const DEFAULT_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

/**
 * The files that make the project, by Compose's own rules: those after `-f`, else those of COMPOSE_FILE, else the first of the
 * usual names in the folder, and its override. Throws where there is none.
 */
export async function findComposeFiles(files: string[], cwd: string, env: Values): Promise<string[]> {
  if (files.length) return files.map((file) => resolve(cwd, file));
  if (env.COMPOSE_FILE) {
    const named = env.COMPOSE_FILE.split(env.COMPOSE_PATH_SEPARATOR || ':');
    return named.filter(Boolean).map((file) => resolve(cwd, file));
  }
  for (const name of DEFAULT_FILES) {
    const file = join(cwd, name);
    if (!(await exists(file))) continue;
    const override = file.replace(/(\.ya?ml)$/, '.override$1');
    const other = override.replace(/\.ya?ml$/, (end) => (end === '.yml' ? '.yaml' : '.yml'));
    for (const second of [override, other]) if (await exists(second)) return [file, second];
    return [file];
  }
  throw new DeployError({
    code: 'NO_COMPOSE_FILE',
    exit: EXIT.config,
    what: 'no compose.yaml here',
    subject: cwd,
    next: 'go to the folder of your project, or name the file with -f',
  });
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}
