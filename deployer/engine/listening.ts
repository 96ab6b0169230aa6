import { readFile } from 'node:fs/promises';
import type Docker from 'dockerode';
import { isHere } from './direct.ts';

export interface Listener {
  /** As people write it; null for an address of IPv6 that is not the loopback. */
  host: string | null;
  port: number;
}

/** In /proc/net/tcp. */
const LISTENS = '0A';
/** Docker's name server, in every namespace of its networks. */
const NAMES = '127.0.0.11';

/** The TCP ports on which something in a container listens; null where that cannot be known: another machine's engine. */
export async function listenersOf(info: Docker.ContainerInspectInfo): Promise<Listener[] | null> {
  if (!(await isHere(info))) return null;
  const read = async (name: string): Promise<string> =>
    await readFile(`/proc/${info.State.Pid}/net/${name}`, 'utf8').catch(() => '');
  const [four, six] = await Promise.all([read('tcp'), read('tcp6')]);
  return four ? parseListeners(`${four}\n${six}`) : null;
}

/** From the text of /proc/net/tcp and tcp6. */
export function parseListeners(text: string): Listener[] {
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, , , state]) => state === LISTENS)
    .map(([, local = '']) => {
      const [address = '', port = ''] = local.split(':');
      return { host: hostOf(address), port: Number.parseInt(port, 16) };
    })
    .filter(({ host }) => host !== NAMES);
}

/** Why nobody reaches a port of a container, in words that say what to change; null when that is not the reason. */
export function whyNot(listeners: Listener[], port: number, proxy: string): string | null {
  const mine = listeners.filter((one) => one.port === port);
  if (mine.length && mine.every(({ host }) => host?.startsWith('127.') || host === '::1'))
    return `it listens on ${mine[0]?.host}:${port}, its own loopback, which only it can reach: let it listen on 0.0.0.0`;
  if (mine.length) return null;
  const others = [...new Set(listeners.map((one) => one.port))].toSorted((a, b) => a - b);
  return others.length
    ? `it listens on port ${others.join(' and ')}, and the proxy asks port ${port}: correct APP_ADDRESS of services.${proxy}`
    : `nothing in it listens on a port yet, and the proxy asks port ${port} (APP_ADDRESS of services.${proxy})`;
}

/** The kernel writes the four bytes of a word in the machine's order, on all machines that run this the last one first. */
function hostOf(hex: string): string | null {
  const bytes = hex.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
  if (bytes.length === 4) return bytes.toReversed().join('.');
  if (/^0+$/.test(hex)) return '::';
  return /^0{24}01000000$/.test(hex) ? '::1' : null;
}
