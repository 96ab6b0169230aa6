import { pipeline } from 'node:stream/promises';
import { childSockets } from '../handover/index.ts';
import { summedMetrics } from './inside.ts';
import { getOver, textOf } from './socket.ts';

const ANSWER_MS = 30_000;

/** `ctl metrics`: the figures of all children, summed, as text. */
export async function printMetrics(): Promise<void> {
  process.stdout.write((await summedMetrics()).text);
}

/** `ctl profile --seconds 10`: a CPU profile of one running child; redirect it into a .cpuprofile file. */
export async function printProfile(seconds: number): Promise<void> {
  await print(`/_/profile?seconds=${seconds}`, seconds * 1000 + ANSWER_MS);
}

/** `ctl heap`: a heap snapshot of one running child; redirect it into a .heapsnapshot file. */
export async function printHeap(): Promise<void> {
  await print('/_/heap', ANSWER_MS);
}

/** `ctl cache`: what the shared cache holds, by namespace. Fails when a key has no lifetime, or a node does not answer. */
export async function printCache(env: NodeJS.ProcessEnv): Promise<boolean> {
  const [{ survey }, { cacheUrlsOf }] = await Promise.all([
    import('../cache/survey.ts'),
    import('../addresses.ts'),
  ]);
  const { nodes, namespaces } = await survey(cacheUrlsOf(env));
  console.table(nodes);
  console.table(namespaces);
  return (
    nodes.every(({ problem }) => !problem) && namespaces.every(({ withoutLifetime }) => withoutLifetime === 0)
  );
}

/** Prints what the first child that answers has to say. A child that crashed leaves its socket behind. */
async function print(path: string, timeoutMs: number): Promise<void> {
  let reason = new Error('no child is running here');
  for (const socket of await childSockets()) {
    try {
      const res = await getOver(socket, path, timeoutMs);
      if (res.statusCode !== 200) throw new Error(await textOf(res));
      return await pipeline(res, process.stdout, { end: false });
    } catch (error) {
      reason = error as Error;
    }
  }
  throw reason;
}
