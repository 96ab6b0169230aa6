import { hostname, userInfo } from 'node:os';

const MAX_LENGTH = 100;

/** Who does this: what `TASUKI_PERFORMER` says (a CI job knows better than its account), else `user@host`. */
export function performerOf(env: Record<string, string | undefined>): string {
  const given = (env.TASUKI_PERFORMER ?? '').replaceAll(/\p{Cc}+/gu, ' ').trim();
  return given.slice(0, MAX_LENGTH) || `${user()}@${hostname()}`;
}

/** The system does not know a name for every uid. */
function user(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}
