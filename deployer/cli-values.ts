import { parseDuration } from './duration.ts';
import { DeployError, EXIT } from './errors.ts';

/** The values of flags, checked as they are read. */

/** `10%`, `5,25`: above 0 and at most 100, rising; the whole at the end goes without saying. */
export function percents(text: string): number[] {
  const values = text.split(',').map((part) => Number(/^\s*(\d+(?:\.\d+)?)\s*%?\s*$/.exec(part)?.[1]));
  const rise = values.every((value, index) => value > (values[index - 1] ?? 0) && value <= 100);
  if (!rise) throw usage(`"${text}" is not a share such as 10%, nor rising shares such as 5,25`);
  return values.filter((value) => value < 100);
}

/** Milliseconds of `30s` and the like. */
export function duration(flag: string, text: string, zero = false): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw usage(`${flag}: "${text}" is not a duration such as 500ms, 30s or 5m`);
  if (ms === 0 && !zero) throw usage(`${flag} must be more than 0`);
  return ms;
}

/** The error for a command line that makes no sense. */
export function usage(what: string): DeployError {
  return new DeployError({ code: 'USAGE', exit: EXIT.usage, what, next: 'deploy --help' });
}
