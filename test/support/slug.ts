import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** What `git push heroku` does before a dyno starts, as far as it goes without the provider. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GIT_MS = 60_000;
/** Of one step of the buildpack; the platform gives all of them 15 minutes. */
const STEP_MS = 300_000;

/**
 * Pushes what a commit of the working tree would hold to a bare repository in `folder` and answers where that is. This repository
 * is only read: index and objects are in `folder` too.
 */
export async function push(folder: string): Promise<string> {
  const objects = await git(['rev-parse', '--path-format=absolute', '--git-path', 'objects']);
  const [remote, own] = [join(folder, 'heroku.git'), join(folder, 'objects')];
  await mkdir(own);
  const env = {
    GIT_INDEX_FILE: join(folder, 'index'),
    GIT_OBJECT_DIRECTORY: own,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: objects,
    GIT_AUTHOR_NAME: 'test',
    GIT_AUTHOR_EMAIL: 'test@localhost',
    GIT_COMMITTER_NAME: 'test',
    GIT_COMMITTER_EMAIL: 'test@localhost',
  };
  await git(['add', '--all'], env);
  const commit = await git(['commit-tree', '-m', 'a release', await git(['write-tree'], env)], env);
  await git(['init', '--quiet', '--bare', '--initial-branch=main', remote]);
  await git(['push', '--quiet', remote, `${commit}:refs/heads/main`], env);
  return remote;
}

/** A clean checkout of what was pushed, as the platform makes one for each build. */
export async function checkOut(remote: string, folder: string): Promise<string> {
  await mkdir(folder);
  const env = { GIT_INDEX_FILE: `${folder}.index` };
  await git([`--git-dir=${remote}`, `--work-tree=${folder}`, 'checkout', '--quiet', '--force', 'main'], env);
  return folder;
}

/**
 * The steps of the Node buildpack (heroku/heroku-buildpack-nodejs v363, bin/compile) in the checkout, each with the platform's
 * variables only; then the folder is moved, as the platform moves it to /app of each dyno. Answers where it is then.
 */
export async function buildSlug(folder: string, checkout: string): Promise<string> {
  const cache = (await execa('npm', ['config', 'get', 'cache'], { timeout: GIT_MS })).stdout.trim();
  const env = {
    ...ofThisNetwork(),
    PATH: platformPath(),
    HOME: folder,
    STACK: 'heroku-24',
    NODE_ENV: 'production',
    NODE_OPTIONS: '--max_old_space_size=2560',
    NPM_CONFIG_LOGLEVEL: 'error',
    NPM_CONFIG_CACHE: cache, // the platform brings back the one of the last build
    NPM_CONFIG_PREFER_OFFLINE: 'true',
  };
  const userconfig = ['--userconfig', join(checkout, '.npmrc')];
  for (const step of [
    ['ci', '--production=false', ...userconfig],
    ['run', 'build', '--if-present'],
    ['prune', ...userconfig],
  ]) {
    await execa('npm', step, { cwd: checkout, env, extendEnv: false, timeout: STEP_MS, stdin: 'ignore' });
  }
  const slug = join(folder, 'app');
  await rename(checkout, slug);
  return slug;
}

/** The platform's npm and Node are those of this machine, not those of this project. */
function platformPath(): string {
  const folders = (process.env.PATH ?? '').split(':');
  return folders.filter((folder) => !folder.startsWith(ROOT) && !folder.includes('node_modules')).join(':');
}

/** What this machine needs to reach a registry at all; on the platform there is nothing of the kind. */
function ofThisNetwork(): Record<string, string | undefined> {
  const name = /^((https?|no)_proxy|node_extra_ca_certs|npm_config_(registry|cafile))$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => name.test(key)));
}

async function git(args: string[], env: Record<string, string> = {}): Promise<string> {
  return (await execa('git', args, { cwd: ROOT, env, timeout: GIT_MS, stdin: 'ignore' })).stdout.trim();
}
