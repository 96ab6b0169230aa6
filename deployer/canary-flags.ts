import type { Flags } from './cli.ts';
import { DeployError, EXIT } from './errors.ts';

const EACH_MS = 60_000;

/** `--canary`, `--steps` and `--for` as shares in percent and how long each; undefined when none was asked for. */
export function canaryOf({ canary, steps, for: ms }: Flags): { percents: number[]; ms: number } | undefined {
  const wrong =
    canary && steps
      ? '--canary and --steps do not go together: give one of them'
      : ms !== undefined &&
        !canary &&
        !steps &&
        '--for says how long a share is compared: give --canary or --steps';
  if (wrong) throw new DeployError({ code: 'USAGE', exit: EXIT.usage, what: wrong, next: 'deploy --help' });
  const percents = canary ?? steps;
  return percents?.length ? { percents, ms: ms ?? EACH_MS } : undefined;
}
