import { SetupError } from './errors.ts';
import { capture, run } from './run.ts';
import { readStack } from './compose.ts';
import { buildH2o, buildStandIns } from './stand-ins.ts';
import type { Context, Finding, Output, Step } from './step.ts';

export type ImageName =
  | 'debian:trixie-slim'
  | 'debian:bookworm-slim'
  | 'node:26-trixie-slim'
  | 'nginx:1.30'
  | 'redis:8.0'
  | 'mysql:9.7';

/** The images that compose.yaml, nginx's service.yaml and the Dockerfile use. A test compares this list with them. */
export const images: readonly ImageName[] = [
  'debian:trixie-slim',
  'node:26-trixie-slim',
  'nginx:1.30',
  'redis:8.0',
  'mysql:9.7',
];
/** What h2o's image is built from: only where PROXY=h2o asks for it, and for the tests. */
export const h2oBase = 'debian:bookworm-slim';
export const h2oImage = 'tasuki-h2o:2.2';

/** What every image that is built here instead of pulled carries. */
export const standInLabel = 'tasuki.stand-in=1';

const pullMinutes = 15 * 60_000;

export type Origin = 'present' | 'pull' | 'stand-in';

/**
 * Where an image comes from: one that is present is never touched, a stand-in is only built when the official image
 * could not be pulled.
 */
export function chooseOrigin(image: { present: boolean; pulled: 'not tried' | 'failed' }): Origin {
  if (image.present) return 'present';
  return image.pulled === 'failed' ? 'stand-in' : 'pull';
}

/** The base images: official where a registry answers, else built here. */
export const imagesStep: Step = {
  title: 'Base images',
  async look(context): Promise<Finding> {
    const present = await presentImages(context);
    if (present === null) {
      return {
        done: false,
        text: `pull what is missing of ${images.join(', ')}, or build it where no registry answers`,
      };
    }
    const missing = (await neededImages(context)).filter((image) => !present.has(image));
    if (missing.length === 0) return { done: true, text: await describe(context) };
    return {
      done: false,
      text: `pull ${missing.join(', ')}, or build stand-ins where no registry answers`,
    };
  },
  async act(context, output): Promise<string> {
    const present = (await presentImages(context)) ?? new Set();
    const needed = await neededImages(context);
    const wanted = needed.filter(
      (image) =>
        image !== h2oImage && chooseOrigin({ present: present.has(image), pulled: 'not tried' }) === 'pull',
    ) as ImageName[];
    const failures = await pullAll(wanted, context, output);
    const unpulled = wanted.filter((image) => failures.has(image));
    if (unpulled.length > 0) {
      const [reason] = failures.values();
      output.announce(
        `cannot pull ${unpulled.join(', ')} (${reason}); building stand-ins from this machine's package sources`,
      );
      await buildStandIns(unpulled, context, output);
    }
    if (needed.includes(h2oImage)) await buildH2o(h2oImage, context, output);
    const still = await presentImages(context);
    const lost = needed.filter((image) => !still?.has(image));
    if (lost.length > 0) {
      throw new SetupError(`These images are still missing: ${lost.join(', ')}`, {
        next: 'start again; then `docker images`.',
      });
    }
    return describe(context);
  },
};

/** Those of every stack, and h2o's where this one has it. */
async function neededImages(context: Context): Promise<(ImageName | typeof h2oImage)[]> {
  const stack = context.everyProxy ? null : await readStack(context).catch(() => null); // without Docker there is no stack
  const withH2o = context.everyProxy || stack?.images.includes(h2oImage);
  return withH2o ? [...images, h2oBase, h2oImage] : [...images];
}

/** Pulls at the same time; returns the reason for each image that could not be pulled. */
async function pullAll(
  wanted: readonly ImageName[],
  context: Context,
  output: Output,
): Promise<Map<ImageName, string>> {
  const failures = new Map<ImageName, string>();
  await Promise.all(
    wanted.map(async (image) => {
      try {
        await run('docker', ['pull', image], {
          what: `Pulling ${image}`,
          next: 'check the network.',
          timeoutMs: pullMinutes,
          signal: context.signal,
          onLine: (line) => output.progress(`${image}: ${line}`),
        });
        output.announce(`pulled ${image}`);
      } catch (error) {
        if (!(error instanceof SetupError)) throw error;
        failures.set(image, error.output.at(-1) ?? error.message);
      }
    }),
  );
  return failures;
}

async function presentImages(context: Context): Promise<Set<string> | null> {
  const list = await listImages(context, []);
  return list === null ? null : new Set(list);
}

async function describe(context: Context): Promise<string> {
  const built = new Set(await listImages(context, ['--filter', `label=${standInLabel}`]));
  const bases = (await neededImages(context)).filter((image) => image !== h2oImage);
  const standIns = bases.filter((image) => built.has(image));
  const official = bases.filter((image) => !built.has(image));
  const parts = [
    ...(official.length > 0 ? [`official ${official.join(', ')}`] : []),
    ...(standIns.length > 0 ? [`stand-ins ${standIns.join(', ')}`] : []),
  ];
  return parts.join('; ');
}

async function listImages(context: Context, filter: readonly string[]): Promise<string[] | null> {
  const answer = await capture('docker', ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', ...filter], {
    timeoutMs: 30_000,
    signal: context.signal,
  });
  return answer.ok ? answer.stdout.split('\n') : null;
}
