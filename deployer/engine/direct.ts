import { lstat, readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { Channel } from './docker.ts';

/** By this label an image says where the socket of its supervisor is: `LABEL tasuki.control=/tmp/tasuki.sock`. */
const LABEL = 'tasuki.control';
const RETRY_MS = 5;

/**
 * Joins an instance's control socket through the file system of its process, when its image names the socket and this
 * process may: root, on the engine's own machine. It waits until the instance has opened the socket. Null where it cannot
 * be done, and `docker exec … ctl session` has to carry the conversation, for about 90 ms of CPU more.
 */
export async function connectDirect(
  info: Docker.ContainerInspectInfo | null,
  signal: AbortSignal,
): Promise<Channel | null> {
  const path = info && socketPath(info);
  if (!path || !(await isHere(info))) return null;
  const root = `/proc/${info.State.Pid}/root`;
  while (!signal.aborted) {
    const found = await look(root, path);
    if (found === 'refused') return null;
    const socket = found === 'socket' && (await connect(join(root, path)));
    if (socket) return { stream: socket, stdout: socket, stderr: null };
    if (!(await isHere(info))) return null; // it ended: the exec says so
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return null;
}

function socketPath({ Config }: Docker.ContainerInspectInfo): string | null {
  const named = Config.Env?.find((entry) => entry.startsWith('CONTROL_SOCKET=/'));
  return Config.Labels?.[LABEL] ? (named?.slice('CONTROL_SOCKET='.length) ?? Config.Labels[LABEL]) : null;
}

/** A process number may mean another process where the engine's are not ours (a remote engine, a container). */
export async function isHere({ Id, State }: Docker.ContainerInspectInfo): Promise<boolean> {
  const groups = await readFile(`/proc/${State.Pid}/cgroup`, 'utf8').catch(() => '');
  return groups.includes(Id);
}

/** An image is not trusted: a link in its file system would be followed in ours. */
async function look(root: string, path: string): Promise<'socket' | 'not yet' | 'refused'> {
  const parts = path.split('/').filter(Boolean);
  if (parts.includes('..')) return 'refused';
  for (let depth = 1; depth <= parts.length; depth++) {
    try {
      const found = await lstat(join(root, ...parts.slice(0, depth)));
      if (found.isSymbolicLink()) return 'refused';
      if (depth === parts.length) return found.isSocket() ? 'socket' : 'refused';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not yet' : 'refused';
    }
  }
  return 'refused';
}

function connect(path: string): Promise<net.Socket | null> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.off('error', onError);
      socket.on('error', () => socket.destroy()); // 'close' follows
      resolve(socket);
    });
    const onError = (): void => resolve(null); // bound, not listening yet; or gone
    socket.once('error', onError);
  });
}
