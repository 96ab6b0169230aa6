import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { load } from 'js-yaml';
import { startAddons, type Addons } from './addons.ts';
import type { DynoOptions } from './dyno.ts';
import { parseProcfile } from './procfile.ts';
import { buildSlug, checkOut, push } from './slug.ts';

const IMAGE = 'tasuki-paas:test';
/** Stands for the platform's stack: a small system with a shell. */
const STACK = 'node:26-trixie-slim';
const BUILD_MS = 300_000;
const REMOVE_MS = 30_000;

/** The Node buildpack, and the image. */
export const WAYS = ['buildpack', 'container'] as const;
export type Way = (typeof WAYS)[number];

/** An app that has been pushed to a platform and built both ways, with its add-ons. */
export interface Platform extends AsyncDisposable {
  addons: Addons;
  /** The config vars: those of the manifest, and what the add-ons set. */
  config: Record<string, string>;
  /** A dyno of the type (`web.1`), as its line in Procfile or heroku.yml starts it; `env` are more config vars. */
  dyno(way: Way, type: string, env?: Record<string, string>): DynoOptions;
}

interface HerokuYml {
  setup: { config: Record<string, string> };
  build: { docker: { web: string } };
  release: { command: string[] };
  run: Record<string, string | { command: string[] }>;
}

/** Pushes the working tree and builds it both ways, while the add-ons boot. */
export async function pushApp(): Promise<Platform> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'tasuki-heroku-'));
  stack.defer(async () => await rm(folder, { recursive: true, force: true }));
  const starting = startAddons();
  stack.defer(async () => await (await starting.catch(() => null))?.[Symbol.asyncDispose]());
  const remote = await push(folder);
  const checkout = await checkOut(remote, join(folder, 'image'));
  const manifest = load(await readFile(join(checkout, 'heroku.yml'), 'utf8')) as HerokuYml;
  const procfile = parseProcfile(await readFile(join(checkout, 'Procfile'), 'utf8'));
  stack.defer(async () => await removeImage());
  const dockerfile = join(checkout, manifest.build.docker.web);
  const build = ['build', '--quiet', '--tag', IMAGE, '--file', dockerfile, checkout];
  const image = execa('docker', build, { timeout: BUILD_MS });
  const [slug, addons] = await settled([
    buildSlug(folder, await checkOut(remote, join(folder, 'build'))),
    starting,
    image,
  ]);
  const owned = stack.move();
  // One address sends the whole load here.
  const given = { JAWSDB_URL: addons.databaseUrl, REDIS_URL: addons.redisUrl, RATE_LIMIT: '0' };
  const config = { ...manifest.setup.config, ...given };
  return {
    addons,
    config,
    dyno(way, type, env = {}) {
      const name = type.replace(/\..*/, '');
      const built = {
        buildpack: { image: STACK, command: ['sh', '-c', procfile[name] ?? ''], slug },
        container: { image: IMAGE, command: [commandOf(manifest, name)] },
      };
      const all = { NODE_ENV: 'production', ...config, ...env };
      return { ...built[way], type, network: addons.network, env: all };
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** Rejects with the first reason, but only when nothing is at work any more that would be in the way of removing it. */
async function settled<T extends readonly unknown[]>(
  work: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

/** The platform hands it to the image's entry point, as one word. */
function commandOf({ release, run }: HerokuYml, name: string): string {
  const process = name === 'release' ? release : run[name];
  return typeof process === 'string' ? process : (process?.command.join(' && ') ?? '');
}

/** The layers stay for the next build. */
async function removeImage(): Promise<void> {
  await execa('docker', ['rmi', '--no-prune', IMAGE], { reject: false, timeout: REMOVE_MS });
}
