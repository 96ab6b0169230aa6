import { readFile } from 'node:fs/promises';
import { type AptSource, deriveSources, mainSource } from './apt-sources.ts';
import { SetupError } from './errors.ts';
import type { Machine } from './machine.ts';

/** From where a Debian suite can be had, seen from this machine. */
export interface DebianSource {
  mirror: string;
  /** What /etc/apt in an image of that suite should say. */
  sources: AptSource[];
}

/** The keyring under which every Debian system keeps the archive's keys. */
export const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Finds the Debian mirror: the one named by DEBIAN_MIRROR, else the one this machine uses itself. Ubuntu has none,
 * and the project names none.
 */
export async function findDebianSource(
  suite: string,
  machine: Machine,
  machineSources: readonly AptSource[],
  named: string | undefined,
): Promise<DebianSource> {
  if (named) {
    const own = {
      types: ['deb'],
      uris: [named],
      components: ['main'],
      signedBy: debianKeyring,
      trusted: false,
    };
    return {
      mirror: named,
      sources: [{ ...own, suites: suite === 'sid' ? [suite] : [suite, `${suite}-updates`] }],
    };
  }
  const main = machine.id === 'debian' ? mainSource(machineSources, machine.codename) : null;
  if (main === null) {
    throw new SetupError(
      `No image registry answers, and ${machine.name} has no Debian mirror to build stand-ins from`,
      {
        next: 'set DEBIAN_MIRROR to the URL of a Debian mirror, or make `docker pull debian:trixie-slim` work; then start again.',
      },
    );
  }
  const derived = deriveSources(machineSources, machine.codename, suite).map((source) =>
    // Unstable has neither updates nor security fixes of its own.
    suite === 'sid' ? { ...source, suites: source.suites.filter((name) => name === suite) } : source,
  );
  const usable = await Promise.all(
    derived
      .filter((source) => source.suites.length > 0)
      .map(async (source) => ({
        ...source,
        uris: await Promise.all(source.uris.map(resolveUri)),
        components: ['main'],
        signedBy: debianKeyring,
      })),
  );
  return { mirror: await resolveUri(main.uris[0] ?? ''), sources: usable };
}

/** Cloud images of Debian name a local file that lists mirrors; debootstrap and a container need the mirror itself. */
async function resolveUri(uri: string): Promise<string> {
  const list = /^mirror\+file:(?:\/\/)?(\/.*)$/.exec(uri)?.[1];
  if (list === undefined) return uri;
  const lines = (await readFile(list, 'utf8')).split('\n');
  const first = lines
    .map((line) => line.split(/\s/)[0] ?? '')
    .find((line) => line !== '' && !line.startsWith('#'));
  if (first === undefined)
    throw new SetupError(`${list} names no mirror`, {
      next: 'set DEBIAN_MIRROR to the URL of a Debian mirror.',
    });
  return first;
}
