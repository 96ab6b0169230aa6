import type { RequestListener, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { childSockets } from '../handover/index.ts';
import type { Metrics } from './metrics.ts';
import { getOver, textOf } from './socket.ts';

const SCRAPE_TIMEOUT_MS = 1000;
const MAX_PROFILE_SECONDS = 120;

/**
 * What a child answers on its private socket, beside the routes of the app: `ctl` asks there, and no proxy reaches it.
 *   /_/metrics             the figures of this child, as data
 *   /_/profile?seconds=10  a CPU profile (.cpuprofile)
 *   /_/heap                a heap snapshot (.heapsnapshot)
 */
export function inside(listener: RequestListener, metrics: Metrics): RequestListener {
  return (req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://localhost');
    const answers: Record<string, () => Promise<void>> = {
      '/_/metrics': async () => sendJson(res, await metrics.read()),
      '/_/profile': async () => sendJson(res, await profile(Number(searchParams.get('seconds')))),
      '/_/heap': async () => void (await import('node:v8')).getHeapSnapshot().pipe(res),
    };
    const answer = answers[pathname];
    if (!answer) return listener(req, res);
    answer().catch((error: unknown) => {
      res.statusCode = 500;
      res.end(messageOf(error));
    });
  };
}

/** The figures of all children of this instance, summed; one that does not answer in time is left out. */
export async function summedMetrics(): Promise<{ text: string; contentType: string }> {
  const answers = await Promise.allSettled(
    (await childSockets()).map(async (socket) => {
      const res = await getOver(socket, '/_/metrics', SCRAPE_TIMEOUT_MS);
      return JSON.parse(await textOf(res)) as object[];
    }),
  );
  const { sum } = await import('./metrics.ts');
  return await sum(answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])));
}

/** Samples this process while it goes on serving. */
async function profile(seconds: number): Promise<object> {
  if (!(seconds > 0 && seconds <= MAX_PROFILE_SECONDS))
    throw new RangeError(`seconds must be more than 0 and at most ${MAX_PROFILE_SECONDS}`);
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await wait(seconds * 1000);
    return (await session.post('Profiler.stop')).profile;
  } finally {
    session.disconnect();
  }
}

function sendJson(res: ServerResponse, value: object): void {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify(value));
}
