import { PassThrough, type Duplex, type Readable } from 'node:stream';
import Docker from 'dockerode';
import { DeployError } from '../errors.ts';
import { LABEL, toInstance, toPod, type Instance, type Pod } from './instance.ts';

/** A conversation with a process of a container. */
export interface Channel {
  /** Written to; ended to end the conversation. */
  stream: Duplex;
  stdout: Readable;
  /** Null where there is none. */
  stderr: Readable | null;
}

/** What the deployer asks of the engine; all of dockerode stands behind this file. */
export class Engine {
  readonly docker: Docker;

  constructor(docker = new Docker()) {
    this.docker = docker;
  }

  /** Throws a clear error when the engine does not answer. */
  async ping(): Promise<void> {
    try {
      await this.docker.ping();
    } catch (error) {
      throw engineUnreachable(error as NodeJS.ErrnoException);
    }
  }

  /** The pod and all containers of the handed-over service, from one look. */
  async snapshot(
    project: string,
    { service, pod }: { service: string; pod: string },
    initialRelease: string,
  ): Promise<{ pod: Pod | null; instances: () => Promise<Instance[]> }> {
    const all = await this.#list(`${LABEL}.project=${project}`);
    const of = (name: string): Docker.ContainerInfo[] =>
      all.filter(({ Labels }) => Labels[`${LABEL}.service`] === name);
    return {
      pod: toPod(of(pod)[0]),
      instances: async () => await this.#inspectAll(of(service), initialRelease),
    };
  }

  /** All containers of one Compose service, hidden and stopped ones too, oldest first. */
  async instances(project: string, service: string, initialRelease: string): Promise<Instance[]> {
    return await this.#inspectAll(await this.#list(...ofService(project, service)), initialRelease);
  }

  /** The pod; null when there is none. */
  async pod(project: string, service: string): Promise<Pod | null> {
    return toPod((await this.#list(...ofService(project, service)))[0]);
  }

  /** The container of a service that has only one; null when there is none. */
  async single(project: string, service: string): Promise<Docker.ContainerInspectInfo | null> {
    const [first] = await this.#list(...ofService(project, service));
    return first ? await this.inspect(first.Id) : null;
  }

  /** Null when the container is gone. */
  async inspect(id: string): Promise<Docker.ContainerInspectInfo | null> {
    return await this.docker.getContainer(id).inspect().catch(nullIf(404));
  }

  /** The digest of an image on this machine; null when it is not here. */
  async imageId(image: string): Promise<string | null> {
    return (await this.docker.getImage(image).inspect().catch(nullIf(404)))?.Id ?? null;
  }

  /** Pulls an image; an error inside the stream counts (dockerode's followProgress does not report it). */
  async pull(image: string, onProgress: (text: string) => void): Promise<void> {
    const stream = await this.docker.pull(image);
    await new Promise<void>((resolve, reject) => {
      const onEvent = (event: { error?: string; status?: string; id?: string }): void => {
        if (event.error) reject(new Error(event.error));
        else if (event.status) onProgress(`${event.id ?? ''} ${event.status}`.trim());
      };
      this.docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()), onEvent);
    });
  }

  /** Nothing to do when it runs. */
  async start(id: string): Promise<void> {
    await this.docker.getContainer(id).start().catch(nullIf(304));
  }

  /** Resolves with the exit code when the container's process ends. */
  async exited(id: string, signal: AbortSignal): Promise<number> {
    const result = (await this.docker
      .getContainer(id)
      .wait({ condition: 'next-exit', abortSignal: signal })) as {
      StatusCode: number;
    };
    return result.StatusCode;
  }

  /** Resolves with the exit code once the container does not run any more; at once when it has ended. */
  async ended(id: string): Promise<number> {
    return ((await this.docker.getContainer(id).wait()) as { StatusCode: number }).StatusCode;
  }

  /** Sends a signal; nothing to do when it does not run. */
  async signal(id: string, signal: string): Promise<void> {
    await this.docker.getContainer(id).kill({ signal }).catch(nullIf(404, 409));
  }

  /** SIGTERM, SIGKILL after `ms`; nothing to do when it does not run. */
  async stop(id: string, ms: number): Promise<void> {
    await this.docker
      .getContainer(id)
      .stop({ t: Math.ceil(ms / 1000) })
      .catch(nullIf(304, 404));
  }

  /** Removes a container by name at once; nothing to do when there is none. */
  async removeByName(name: string): Promise<void> {
    await this.docker.getContainer(name).remove({ force: true }).catch(nullIf(404));
  }

  /** SIGTERM, SIGKILL after `seconds`, remove. True when it had to be killed. Nothing to do when it is gone. */
  async remove(id: string, seconds: number): Promise<boolean> {
    const container = this.docker.getContainer(id);
    await container.stop({ t: seconds }).catch(nullIf(304, 404));
    const info = await this.inspect(id);
    await container.remove({ force: true }).catch(nullIf(404, 409));
    return info?.State.ExitCode === 137 && !info.State.OOMKilled;
  }

  /** The last lines a container wrote, both streams. */
  async lastLines(id: string, lines = 20): Promise<string[]> {
    const logs = await this.docker
      .getContainer(id)
      .logs({ stdout: true, stderr: true, tail: lines })
      .catch(() => Buffer.alloc(0));
    return demuxBuffer(logs).split('\n').filter(Boolean).slice(-lines);
  }

  /** All that a container wrote since a time, in seconds since 1970, both streams. */
  async linesSince(id: string, since: number): Promise<string> {
    const logs = await this.docker.getContainer(id).logs({ stdout: true, stderr: true, since });
    return demuxBuffer(logs);
  }

  /** Runs a command inside a container with its standard streams attached. */
  async exec(id: string, command: string[]): Promise<Channel & { stderr: Readable }> {
    const exec = await this.docker.getContainer(id).exec({
      Cmd: command,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    this.docker.modem.demuxStream(stream, stdout, stderr);
    stream.once('close', () => (stdout.end(), stderr.end()));
    stream.once('end', () => (stdout.end(), stderr.end()));
    stream.on('error', () => stream.destroy());
    return { stream, stdout, stderr };
  }

  /** The text of a small file inside a running container; null when it is not there. */
  async readFile(id: string, path: string): Promise<string | null> {
    const archive = await this.docker.getContainer(id).getArchive({ path }).catch(nullIf(404));
    if (!archive) return null;
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    return untarFirst(Buffer.concat(chunks));
  }

  async #inspectAll(found: Docker.ContainerInfo[], initialRelease: string): Promise<Instance[]> {
    const all = await Promise.all(
      found.map(async ({ Id, Image: image }) => {
        const info = await this.inspect(Id);
        // In its list the engine gives the id in place of a name that has moved on to another image.
        return info && { ...toInstance(info, initialRelease), image };
      }),
    );
    return all.filter((one) => one !== null).toSorted((a, b) => a.createdAt.localeCompare(b.createdAt));
  }

  #list(...label: string[]): Promise<Docker.ContainerInfo[]> {
    return this.docker.listContainers({ all: true, filters: { label } });
  }
}

const ofService = (project: string, service: string): [string, string] => [
  `${LABEL}.project=${project}`,
  `${LABEL}.service=${service}`,
];

/** A catch handler that turns some HTTP statuses of the engine into null and throws everything else. */
export function nullIf(...statuses: number[]): (error: { statusCode?: number }) => null {
  return (error) => {
    if (error.statusCode !== undefined && statuses.includes(error.statusCode)) return null;
    throw error;
  };
}

function engineUnreachable(error: NodeJS.ErrnoException): DeployError {
  const denied = error.code === 'EACCES';
  const elsewhere = process.env.DOCKER_HOST; // oxlint-disable-line node/no-process-env -- named for the user
  const start = elsewhere
    ? 'check DOCKER_HOST, and that the engine there runs'
    : 'start it: systemctl start docker (or: npm start)';
  return new DeployError({
    code: denied ? 'ENGINE_DENIED' : 'ENGINE_UNREACHABLE',
    what: denied
      ? 'no permission on the Docker engine'
      : `the Docker engine does not answer (${error.message})`,
    subject: elsewhere ?? '/var/run/docker.sock',
    next: denied ? 'run as root, or join the group "docker" and log in again' : start,
  });
}

/** Engine log streams carry an 8-byte header per frame (stream, 3 zero bytes, big-endian length). */
export function demuxBuffer(data: Buffer): string {
  let text = '';
  let at = 0;
  while (at + 8 <= data.length) {
    const length = data.readUInt32BE(at + 4);
    text += data.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}

/** The first file of a tar archive: size is octal at byte 124 of the 512-byte header (POSIX ustar). */
function untarFirst(tar: Buffer): string | null {
  if (tar.length < 512) return null;
  const size = Number.parseInt(tar.toString('latin1', 124, 136), 8);
  return tar.toString('utf8', 512, 512 + size);
}
