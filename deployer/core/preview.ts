import type { Instance } from '../engine/instance.ts';
import { DeployError, EXIT } from '../errors.ts';
import type { Observed } from './observe.ts';

/** The link that shows a release to a browser before it is admitted; the proxy turns it into a cookie. */
export function previewLink(url: URL | string, token: string): string {
  return new URL(`/.tasuki/preview/${token}`, url).href;
}

/** The release that `deploy --hold` left, or an error that says there is none. */
export function heldInstance(observed: Observed): Instance & { held: string } {
  const held = observed.instances.findLast((one): one is Instance & { held: string } => one.held !== null);
  if (held) return held;
  throw new DeployError({
    code: 'NOTHING_HELD',
    exit: EXIT.usage,
    what: 'no release is held',
    next: 'deploy --image NAME:TAG --hold   starts one and stops before its admission',
  });
}
