import { constants, copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildBaseImage, prepareBootstrap, withScratch } from './base-image.ts';
import { SetupError } from './errors.ts';
import type { ImageName } from './images.ts';
import { exists } from './machine.ts';
import { capture, run, type RunOptions } from './run.ts';
import type { Context, Output } from './step.ts';

/** Builds images that stand in for the official ones where no registry answers: same names, same interface. */

const certificates = '/etc/ssl/certs/ca-certificates.crt';
const sidImage = 'tasuki-stand-in:sid';
const buildMinutes = 20 * 60_000;

/** Those that are a bare suite of Debian. */
const suites = {
  'debian:trixie-slim': 'trixie',
  'debian:bookworm-slim': 'bookworm',
  [sidImage]: 'sid',
} as const;
type BaseName = keyof typeof suites;
const isBase = (tag: string): tag is BaseName => tag in suites;

/** Where each other stand-in's Dockerfile is, and from which base it is built. */
const recipes: Record<Exclude<ImageName, BaseName>, { folder: string; base: BaseName }> = {
  'node:26-trixie-slim': { folder: 'node', base: 'debian:trixie-slim' },
  'nginx:1.30': { folder: 'nginx', base: sidImage },
  'redis:8.0': { folder: 'redis', base: sidImage },
  'mysql:9.7': { folder: 'mysql', base: sidImage },
};

/** Base images to make and Dockerfiles to build, so that each build finds its base. Pure. */
export function planStandIns(
  wanted: readonly ImageName[],
  present: ReadonlySet<string>,
): { bases: { suite: string; tag: string }[]; builds: { tag: ImageName; folder: string; base: string }[] } {
  const builds = wanted.flatMap((tag) => (isBase(tag) ? [] : [{ tag, ...recipes[tag] }]));
  const needed = new Set<BaseName>([
    ...wanted.filter((tag) => isBase(tag)),
    ...builds.map(({ base }) => base),
  ]);
  const bases = [...needed].filter((tag) => !present.has(tag)).map((tag) => ({ suite: suites[tag], tag }));
  return { bases, builds };
}

/**
 * Builds the wanted stand-ins side by side. `rename` gives them other tags, to try a build beside images in use.
 * A tag appears only when its image is complete.
 */
export async function buildStandIns(
  wanted: readonly ImageName[],
  context: Context,
  output: Output,
  rename: (tag: string) => string = (tag) => tag,
): Promise<void> {
  const candidates = Object.keys(suites);
  const there = await Promise.all(candidates.map(async (tag) => isPresent(rename(tag), context)));
  const plan = planStandIns(wanted, new Set(candidates.filter((_, index) => there[index])));
  if (plan.bases.length > 0) await prepareBootstrap(context, output);
  const bases = new Map(
    plan.bases.map(({ suite, tag }) => [
      tag,
      built(rename(tag), output, () => buildBaseImage(suite, rename(tag), context, output)),
    ]),
  );
  const builds = plan.builds.map(async ({ tag, folder, base }) => {
    await bases.get(base);
    await built(rename(tag), output, () => buildStandIn(folder, rename(tag), rename(base), context, output));
  });
  // All are waited for, also when one failed: none may go on building behind the error message.
  const results = await Promise.allSettled([...bases.values(), ...builds]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

async function built(tag: string, output: Output, work: () => Promise<void>): Promise<void> {
  const started = Date.now();
  await work();
  output.announce(`built ${tag} in ${Math.round((Date.now() - started) / 1000)} s`);
}

async function buildStandIn(
  folder: string,
  tag: string,
  base: string,
  context: Context,
  output: Output,
): Promise<void> {
  const options: RunOptions = {
    what: `Building the stand-in ${tag}`,
    next: 'read the lines above; container builds must reach the package sources of this machine. Then start again.',
    timeoutMs: buildMinutes,
    signal: context.signal,
    onLine: (line) => output.progress(`${tag}: ${line.replace(/^#\d+ (?:[\d.]+ )?/, '')}`),
  };
  const source = join(context.root, 'setup/stand-ins', folder);
  if (folder !== 'node') {
    await dockerBuild(source, tag, { BASE: base }, context, options);
    return;
  }
  await withScratch(async (directory) => {
    await cp(source, directory, { recursive: true });
    await addNode(directory, context, options);
    await dockerBuild(directory, tag, { BASE: base, NODE_VERSION: process.versions.node }, context, options);
  });
}

/** Builds the image of h2o from its folder; what the engine has built before it takes from its cache. */
export async function buildH2o(tag: string, context: Context, output: Output): Promise<void> {
  await dockerBuild(join(context.root, 'proxy/h2o'), tag, {}, context, {
    what: `Building ${tag}`,
    next: 'read the lines above; container builds must reach the package sources of this machine. Then start again.',
    timeoutMs: buildMinutes,
    signal: context.signal,
    onLine: (line) => output.progress(`${tag}: ${line.replace(/^#\d+ (?:[\d.]+ )?/, '')}`),
  });
}

/** `docker build` with this machine's proxy settings, and its network: what it reaches, the build reaches. */
async function dockerBuild(
  directory: string,
  tag: string,
  values: Record<string, string>,
  context: Context,
  options: RunOptions,
): Promise<void> {
  const passed = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  const buildArgs = [...passed, ...proxyVariables(context.env)].flatMap((value) => ['--build-arg', value]);
  await run(
    'docker',
    ['build', '--progress', 'plain', '--network', 'host', ...buildArgs, '-t', tag, directory],
    options,
  );
}

/** Names of the proxy variables that are set; Docker takes their values from the environment. */
export function proxyVariables(env: NodeJS.ProcessEnv): string[] {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
  return names.filter((name) => env[name]);
}

/** The parts of the Node image that come from this machine: binary, npm, certificates, registry. */
async function addNode(directory: string, context: Context, options: RunOptions): Promise<void> {
  if (process.versions.node.split('.')[0] !== '26') {
    throw new SetupError(`The set-up runs on Node ${process.versions.node}; the Node image needs Node 26`, {
      next: 'start it as `npm start`, which brings the right Node.',
    });
  }
  await copyFile(process.execPath, join(directory, 'node'), constants.COPYFILE_FICLONE);
  await run('npm', ['pack', 'npm@11', '--silent', '--pack-destination', directory], {
    ...options,
    cwd: directory,
  });
  await mkdir(join(directory, 'npm'));
  const unpack = 'tar -xzf npm-*.tgz -C npm --strip-components=1 && rm npm-*.tgz';
  await run('sh', ['-c', unpack], { ...options, cwd: directory });
  if (await exists(certificates)) await copyFile(certificates, join(directory, 'ca-certificates.crt'));
  const registry = await capture('npm', ['config', 'get', 'registry'], {
    timeoutMs: 30_000,
    signal: context.signal,
  });
  const lines = [`cafile=${certificates}`, ...(registry.ok ? [`registry=${registry.stdout.trim()}`] : [])];
  await writeFile(join(directory, 'npmrc'), `${lines.join('\n')}\n`);
}

async function isPresent(tag: string, context: Context): Promise<boolean> {
  return (await capture('docker', ['image', 'inspect', tag], { timeoutMs: 30_000, signal: context.signal }))
    .ok;
}
