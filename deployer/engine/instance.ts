import type Docker from 'dockerode';

/** A container of the handed-over service, as the engine describes it. */
export interface Instance {
  id: string;
  name: string;
  release: string;
  /** The name by which the engine gives exactly its image: the tag while that names it, else the id. */
  image: string;
  imageId: string;
  /** Compose counts it; the parked release is kept out of Compose's sight. */
  visible: boolean;
  running: boolean;
  status: string;
  exitCode: number;
  /** ISO 8601. */
  createdAt: string;
  /** Seconds the engine waits between SIGTERM and SIGKILL. */
  stopTimeout: number;
  /** The token by which it can be looked at, when `deploy --hold` left it before its admission. */
  held: string | null;
  /** When a parked instance ends by itself, ISO 8601; null when it does not. */
  keepUntil: string | null;
}

/** The container that owns the network namespace and the published port. */
export interface Pod {
  id: string;
  imageId: string;
  running: boolean;
  /** Where its first published port without TLS is reached from this host; null when it publishes none. */
  url: string | null;
  /** And where the one with TLS is. */
  tlsUrl: string | null;
}

/** Where the proxy speaks TLS in the pod. */
const TLS_PORT = 443;

export const LABEL = 'com.docker.compose';
/** Of a parked twin with an end. */
export const KEEP_VARIABLE = 'KEEP_UNTIL';
/** Compose leaves containers alone that carry it. */
export const ONE_OFF_LABEL = `${LABEL}.oneoff`;
/** On a container that is held: its token. */
export const HELD_LABEL = 'tasuki.held';
const DEFAULT_STOP_TIMEOUT_S = 10;

/** From an entry of the engine's list. */
export function toPod(info: Docker.ContainerInfo | undefined): Pod | null {
  if (!info) return null;
  const published = info.Ports.filter(({ PublicPort, Type }) => PublicPort && Type === 'tcp');
  const bindings = published.map(({ IP, PrivatePort, PublicPort }) => ({
    port: PrivatePort,
    HostIp: IP,
    HostPort: String(PublicPort),
  }));
  return {
    id: info.Id,
    imageId: info.ImageID,
    running: info.State === 'running',
    ...publishedUrls(bindings),
  };
}

/** The first of the addresses at which ports are published, as URLs on this host. */
export function publishedUrls(
  bindings: { port: number; HostIp: string; HostPort: string }[],
): Pick<Pod, 'url' | 'tlsUrl'> {
  const urlOf = (isTls: boolean): string | null => {
    const first = bindings.find(({ port }) => (port === TLS_PORT) === isTls);
    if (!first) return null;
    const { HostIp, HostPort } = first;
    const host = ['', '0.0.0.0', '::'].includes(HostIp) ? '127.0.0.1' : HostIp;
    return `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${HostPort}`;
  };
  return { url: urlOf(false), tlsUrl: urlOf(true) };
}

/** From what the engine knows of a container. */
export function toInstance(info: Docker.ContainerInspectInfo, initialRelease: string): Instance {
  const variable = (name: string): string | undefined =>
    info.Config.Env?.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  return {
    id: info.Id,
    name: info.Name.slice(1),
    release: variable('RELEASE') || initialRelease,
    image: info.Config.Image,
    imageId: info.Image,
    visible: info.Config.Labels?.[ONE_OFF_LABEL] !== 'True',
    running: info.State.Running,
    status: info.State.Status,
    exitCode: info.State.ExitCode,
    createdAt: info.Created,
    stopTimeout: (info.Config as { StopTimeout?: number }).StopTimeout ?? DEFAULT_STOP_TIMEOUT_S,
    held: info.Config.Labels?.[HELD_LABEL] ?? null,
    keepUntil: variable(KEEP_VARIABLE) ?? null,
  };
}
