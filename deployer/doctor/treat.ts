import { toDeployError } from '../errors.ts';
import type { Finding } from './check.ts';
import type { FixResult } from './report.ts';

/** Does the fix of each finding that has one, safe ones always, others only with the user's consent. */
export async function treat(
  findings: Finding[],
  consent: boolean,
  onResult: (result: FixResult) => void,
): Promise<string[]> {
  const done: string[] = [];
  for (const { id, fix } of findings) {
    if (!fix) continue;
    const error = fix.safe || consent ? await attempt(() => fix.do()) : 'it needs your consent: add --yes'; // oxlint-disable-line no-await-in-loop
    if (error === null) done.push(id);
    onResult({ id, what: fix.what, error });
  }
  return done;
}

async function attempt(work: () => Promise<void>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return toDeployError(error).details.what;
  }
}
