import { randomBytes } from 'node:crypto';

/** A new release id, UTC time to the second and four random hex digits: `20261121T012301-7f3a`. Sorts by time. */
export function newReleaseId(now = new Date(), random = randomBytes(2).toString('hex')): string {
  const stamp = now.toISOString().replaceAll(/[-:]/g, '').slice(0, 15);
  return `${stamp}-${random}`;
}

/** The secret of a release's preview: its id and 144 bits, as letters that stand in a link. */
export function newToken(release: string): string {
  return `${release}_${randomBytes(18).toString('base64url')}`;
}
