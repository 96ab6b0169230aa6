import { readPort, takenOver, type Port } from './ports.ts';
import type { Plain } from './survey.ts';

/** Where the proxy listens in its container. */
const PROXY_PORT = 80;
/** Where somebody speaks TLS. */
const TLS_PORT = '443';
const ELSE_PUBLISHED = `\${HTTP_PORT:-8080}:${PROXY_PORT}`;

/** The service that is to be handed over: the one that is asked for, or the only one it can be. */
export function chooseService(
  services: Record<string, Plain | null>,
  portsOf: (name: string) => unknown[],
  asked: string | undefined,
): { service: string } | { problem: string } {
  const names = Object.keys(services);
  if (asked !== undefined) {
    if (services[asked]) return { service: asked };
    return { problem: `there is no service "${asked}"; there are: ${names.join(', ') || 'none'}` };
  }
  const built = names.filter((name) => services[name]?.build !== undefined);
  const published = names.filter((name) => portsOf(name).length > 0);
  const both = built.filter((name) => published.includes(name));
  const either = names.filter((name) => built.includes(name) || published.includes(name));
  for (const [only, ...others] of [both, either]) if (only && !others.length) return { service: only };
  if (!either.length)
    return {
      problem: `no service has build: or ports:, so it is not clear which one to deploy; next: deploy init --service ${names[0] ?? 'NAME'}`,
    };
  const candidates = both.length ? both : either;
  return {
    problem: `it is not clear which service to deploy (${candidates.join(', ')}); next: deploy init --service ${candidates[0]}`,
  };
}

export interface Place {
  port: string;
  ports: string[];
  notes: string[];
}

/** On which port the app listens in its container, and where its users come. */
export function choosePort(
  service: string,
  { expose }: Plain,
  entries: unknown[],
  asked: string | undefined,
): Place | { problem: string } {
  if (asked !== undefined && !/^[1-9]\d{0,4}$/.test(asked))
    return { problem: `--port takes the number of a port, not "${asked}"` };
  const read = entries.map((entry) => readPort(entry));
  const strange = entries.find((_, at) => read[at] === null);
  if (strange !== undefined)
    return {
      problem: `services.${service}.ports: ${JSON.stringify(strange)} is not one port; write each port of a range in a line of its own`,
    };
  const ports = read.filter((one) => one !== null);
  const exposed = Array.isArray(expose) ? expose.map(String).filter((one) => /^\d+(\/tcp)?$/.test(one)) : [];
  const targets = new Set(ports.map(nameOf));
  const candidates = targets.size ? [...targets] : exposed.map((one) => one.replace('/tcp', ''));
  const [only] = candidates;
  const port = asked ?? (candidates.length === 1 ? only : undefined);
  if (port === undefined)
    return {
      problem: candidates.length
        ? `services.${service} has several ports (${candidates.join(', ')}): say on which one it speaks HTTP; next: deploy init --port ${only}`
        : `services.${service} names no port: say on which one it listens in its container; next: deploy init --port 3000`,
    };
  if (port.includes('/'))
    return { problem: `services.${service} publishes only ${port}, and nginx in front of it speaks HTTP` };
  const mine = ports.filter((one) => nameOf(one) === port);
  if (asked === undefined && mine.some(({ published }) => published === TLS_PORT))
    return {
      problem: `services.${service} publishes ${TLS_PORT}: behind the proxy the app must speak plain HTTP; let it, and next: deploy init --port ${port}`,
    };
  const places = mine.filter(({ published }) => published !== '' && published !== TLS_PORT);
  return {
    port,
    ports: places.length ? places.map((one) => takenOver(one, PROXY_PORT)) : [ELSE_PUBLISHED],
    notes: [...unpublished(ports, port), ...(places.length ? [] : [newPlace(service)])],
  };
}

function nameOf({ target, protocol }: Port): string {
  return protocol === 'tcp' ? target : `${target}/${protocol}`;
}

function unpublished(ports: Port[], port: string): string[] {
  const lost = ports.filter((one) => nameOf(one) !== port || one.published === TLS_PORT);
  const names = lost.map((one) => `${one.published || 'a port'} (${nameOf(one)} in the container)`);
  return lost.length
    ? [`${names.join(', ')}: not published any more, because two releases cannot have the same port`]
    : [];
}

function newPlace(service: string): string {
  return `"${service}" published no port of its own choice: its users come to port 8080 now (HTTP_PORT in .env changes it)`;
}
