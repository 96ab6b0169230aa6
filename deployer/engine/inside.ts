import { demuxBuffer, nullIf, type Engine } from './docker.ts';

/** For a command that takes milliseconds. */
const TIMEOUT_MS = 10_000;

/** Runs a command in a container to its end, with `input` on its standard input, and gives what it said; a failure is thrown with that. */
export async function runInside(engine: Engine, id: string, command: string[], input = ''): Promise<string> {
  return await outputOf(engine, id, command, TIMEOUT_MS, input);
}

/** The same, for one that may take `timeoutMs`. */
export async function outputOf(
  { docker }: Engine,
  id: string,
  command: string[],
  timeoutMs: number,
  input = '',
): Promise<string> {
  const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true };
  const exec = await docker.getContainer(id).exec({ Cmd: command, ...streams });
  const stream = await exec.start({ hijack: true, stdin: true });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.end(input);
  const late = new Error(`${command[0]} in the container did not end within ${timeoutMs / 1000} s`);
  const timer = setTimeout(() => stream.destroy(late), timeoutMs);
  try {
    await new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
  } finally {
    clearTimeout(timer);
  }
  const { ExitCode } = await exec.inspect();
  const said = demuxBuffer(Buffer.concat(chunks)).trim();
  if (ExitCode !== 0) throw new Error(`${command[0]} in the container: exit code ${ExitCode}: ${said}`);
  return said;
}

/** When a file in a running container was last written, ISO 8601; null when it is not there. */
export async function writtenAt({ docker }: Engine, id: string, path: string): Promise<string | null> {
  const answer = (await docker.getContainer(id).infoArchive({ path }).catch(nullIf(404))) as {
    headers?: Record<string, string>;
  } | null;
  const header = answer?.headers?.['x-docker-container-path-stat'];
  if (!header) return null;
  const { mtime } = JSON.parse(Buffer.from(header, 'base64').toString()) as { mtime: string };
  return new Date(mtime).toISOString();
}
