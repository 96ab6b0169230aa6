import { usage } from './cli-values.ts';
import type { Flags } from './cli.ts';

const EACH_MS = 60_000;

/** `--canary`, `--steps` and `--for` (also of `deploy pause`) as shares in percent and how long each; undefined for none. */
export function canaryOf({ canary, steps, for: ms }: Flags): { percents: number[]; ms: number } | undefined {
  if (canary && steps) throw usage('--canary and --steps do not go together: give one of them');
  const percents = canary ?? steps;
  return percents?.length ? { percents, ms: ms ?? EACH_MS } : undefined;
}
