import { SetupError } from './errors.ts';
import { capture, run } from './run.ts';
import { buildStandIns } from './stand-ins.ts';
import type { Context, Finding, Output, Step } from './step.ts';

/** The images that compose.yaml and the Dockerfile use. A test compares this list with both. */
export const images = [
  'debian:trixie-slim',
  'node:26-trixie-slim',
  'nginx:1.30',
  'redis:8.0',
  'mysql:9.7',
] as const;
export type ImageName = (typeof images)[number];

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
    const missing = images.filter((image) => !present.has(image));
    if (missing.length === 0) return { done: true, text: await describe(context) };
    return {
      done: false,
      text: `pull ${missing.join(', ')}, or build stand-ins where no registry answers`,
    };
  },
  async act(context, output): Promise<string> {
    const present = (await presentImages(context)) ?? new Set();
    const wanted = images.filter(
      (image) => chooseOrigin({ present: present.has(image), pulled: 'not tried' }) === 'pull',
    );
    const failures = await pullAll(wanted, context, output);
    const unpulled = wanted.filter((image) => failures.has(image));
    if (unpulled.length > 0) {
      const [reason] = failures.values();
      output.announce(
        `cannot pull ${unpulled.join(', ')} (${reason}); building stand-ins from this machine's package sources`,
      );
      await buildStandIns(unpulled, context, output);
    }
    const still = await presentImages(context);
    const lost = images.filter((image) => !still?.has(image));
    if (lost.length > 0) {
      throw new SetupError(`These images are still missing: ${lost.join(', ')}`, {
        next: 'start again; then `docker images`.',
      });
    }
    return describe(context);
  },
};

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
  const standIns = images.filter((image) => built.has(image));
  const official = images.filter((image) => !built.has(image));
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
