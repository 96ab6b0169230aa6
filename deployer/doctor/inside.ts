import type { Engine } from '../engine/docker.ts';
import { before } from './check.ts';

export interface Output {
  stdout: string;
  stderr: string;
}

/** Runs a command inside a container and returns what it wrote; throws when it has not ended in time. */
export async function runInside(
  engine: Engine,
  id: string,
  command: string[],
  timeoutMs: number,
): Promise<Output> {
  const exec = await before(timeoutMs, engine.exec(id, command));
  try {
    const [stdout, stderr] = await before(timeoutMs, Promise.all([text(exec.stdout), text(exec.stderr)]));
    return { stdout, stderr };
  } finally {
    exec.stream.destroy();
  }
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
