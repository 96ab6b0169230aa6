import type { Children } from './children.ts';
import { NamedSocket, type NamedSocketOptions } from './named-socket.ts';
import { OwnPort } from './own-port.ts';
import { Port, type Place } from './place.ts';
import type { Drain, ServeOptions } from './protocol.ts';

/** The place that the options name; one that takes no requests has a port nobody comes to. */
export function placeOf(
  { host, port, socket, own, runDir, stay }: ServeOptions,
  {
    release,
    serving,
    ...rest
  }: Omit<NamedSocketOptions, 'path'> & { release: string; serving: () => string | undefined },
): Place {
  if (own && !stay) return new OwnPort({ host, port, release, runDir, serving });
  return socket && !stay ? new NamedSocket({ path: socket, ...rest }) : new Port(host, port);
}

/** Lets all children listen, and has new connections come to them; where one cannot, none does. */
export async function occupy(
  place: Place,
  children: Children,
  lent: boolean,
  drainTimeoutMs: number,
): Promise<void> {
  try {
    await place.open();
    await children.each((child) => place.admit(child));
    await place.take(lent);
  } catch (error) {
    const end = await place.leave();
    await children.drainAll(drainTimeoutMs); // some may listen
    end();
    throw error;
  }
}

/** Sends new connections elsewhere; then the drain of those that have come goes on by itself. */
export async function vacate(
  place: Place,
  children: Children,
  deadlineMs: number,
  gently: boolean,
): Promise<{ drained: Promise<Drain> }> {
  const end = await place.leave();
  return { drained: children.drainAll(deadlineMs, gently).finally(end) };
}
