import type { Config } from '../config.ts';
import type { Observed } from '../core/observe.ts';
import { Engine } from '../engine/docker.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import { isImageId, repository } from '../image.ts';
import { newReleaseId, newToken } from '../release-id.ts';
import { wantedScale, type AskedScale } from '../scale.ts';
import { change, type Globals, type Wish } from '../run.ts';

export interface DeployOptions {
  image?: string | undefined;
  build: boolean;
  /** Stop before admission. */
  hold: boolean;
  smoke: boolean;
  /** How many containers the release gets, and of which service. */
  scale?: AskedScale | undefined;
}

/** `deploy --image app:v2`, `deploy --build`: replaces the release that serves. */
export async function deploy(globals: Globals, options: DeployOptions): Promise<ExitCode> {
  const command = options.build ? 'deploy --build' : `deploy --image ${options.image}`;
  const engine = new Engine();
  const here = options.image ? engine.imageId(options.image) : null;
  here?.catch(() => {}); // told to who asks for it
  const decide = async (_observed: Observed, _engine: Engine, config: Config): Promise<Wish> => {
    const scale = wantedScale(options.scale, config);
    const built = options.build ? await revisionOf(config) : null;
    // After a rollback to an image without a tag only the file knows a name.
    const name = isImageId(config.image) ? config.defaultImage : config.image;
    const image = built ? await untaken(`${repository(name)}:${built.tag}`, engine) : (options.image ?? '');
    const pull = !built && !(await here);
    const release = newReleaseId();
    const { hold, smoke } = options;
    const token = newToken(release);
    const desired = {
      kind: 'deploy' as const,
      release,
      image,
      build: built !== null,
      pull,
      hold,
      smoke,
      token,
    };
    return {
      command: hold ? 'hold' : 'deploy',
      release,
      image,
      desired,
      revision: built?.revision ?? '',
      scale,
    };
  };
  return await change(globals, command, decide, engine);
}

/**
 * A name that no image has. A build takes more in than git knows (files outside it, a newer base image), so another build of a revision
 * is another image, and its name must not be taken from under a release that one can go back to.
 */
async function untaken(image: string, engine: Engine): Promise<string> {
  return (await engine.imageId(image)) === null ? image : `${image}-${stamp()}`;
}

function stamp(): string {
  return new Date().toISOString().replaceAll(/[-:]/g, '').slice(0, 15);
}

/** The tag for the working tree: the short revision, with the time added when there are uncommitted changes. */
async function revisionOf({ directory }: Config): Promise<{ revision: string; tag: string }> {
  const { execa } = await import('execa'); // few deploys build
  const git = async (...args: string[]): Promise<string> =>
    (await execa('git', args, { cwd: directory, timeout: 10_000, stdin: 'ignore' })).stdout.trim();
  try {
    const [revision, short, changes] = await Promise.all([
      git('rev-parse', 'HEAD'),
      git('rev-parse', '--short=12', 'HEAD'),
      git('status', '--porcelain', '--untracked-files=no'),
    ]);
    return { revision, tag: changes ? `${short}-dirty-${stamp()}` : short };
  } catch (error) {
    throw new DeployError({
      code: 'NO_REVISION',
      exit: EXIT.usage,
      what: `--build tags the image by its git revision, and git says: ${(error as Error).message.split('\n').at(-1)}`,
      subject: directory,
      next: 'commit first, or build by hand and use: deploy --image NAME:TAG',
    });
  }
}
