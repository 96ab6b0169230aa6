import { randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context, Next } from '../core/context.ts';
import { findPod } from '../core/observe.ts';
import { DeployError } from '../errors.ts';
import { formatDuration } from '../duration.ts';

/** Requests that it must be seen to have answered, of each kind: without TLS, and with it where the pod publishes that. */
const CONFIRMATIONS = 2;
const EVERY_MS = 50;
/** Of these: under load it is much to read. */
const LOOK_EVERY = 5;
/** Its log is at most a second late. */
const LOG_LATE_MS = 1500;
const CONFIRM_MS = 15_000;
const ASK_MS = 5000;

/**
 * Sends requests to the public port, each with a connection and an id of its own, until the log of this proxy names enough of them:
 * only the log tells which of several that listen on one port has answered, and no visitor sees it. A server error is the proxy's only
 * when the others answer without one: the app may be ill. `any`: nothing is compared, every whole answer will do.
 */
export async function confirm(
  context: Context,
  { id, name }: Next,
  judge: 'as-others' | 'any' = 'as-others',
): Promise<string> {
  const { engine, signal } = context;
  const urls = await addresses(context);
  const run = randomBytes(6).toString('hex');
  const since = Math.floor(Date.now() / 1000) - 1;
  const answers = new Map<string, Promise<Answer>>();
  let sent = 0;
  let round = 0;
  const until = performance.now() + CONFIRM_MS;
  // One that has just been made has no past; another may have come back with the pod.
  const restarts = context.next?.id === id ? 0 : ((await engine.inspect(id))?.RestartCount ?? 0);
  while (performance.now() < until) {
    signal.throwIfAborted();
    for (const [n, url] of urls.entries()) {
      const request = `confirm-${run}-${n}-${sent++}.`;
      answers.set(request, ask(url, request));
    }
    await sleep(EVERY_MS);
    if (++round % LOOK_EVERY !== 0) continue;
    await requireUp(context, { id, name }, restarts);
    const log = await engine.linesSince(id, since);
    const own = await Promise.all(
      [...answers]
        .filter(([request]) => log.includes(request))
        .map(([request, answer]) => answer.then((said) => ({ ...said, request }))),
    );
    const bad = own.find(({ answered }) => !answered) ?? own.find(({ problem }) => problem !== null);
    const isExcused =
      bad?.answered && (judge === 'any' || (await areIll(answers, () => engine.linesSince(id, since))));
    if (bad && !isExcused) throw unwell(name, `it answered on the public port with ${bad.problem}`);
    const seen = urls.map(
      (_, n) => own.filter(({ request }) => request.startsWith(`confirm-${run}-${n}-`)).length,
    );
    if (seen.every((count) => count >= CONFIRMATIONS))
      return `${own.length} of ${answers.size} answers are its own`;
  }
  throw unwell(
    name,
    `none, or not enough, of ${answers.size} requests to ${urls.join(' and ')} is in its log`,
    formatDuration(CONFIRM_MS),
  );
}

/** Whether the others, too, answer with server errors: those whose answers are not in its log, once that has caught up. */
async function areIll(
  answers: Map<string, Promise<Answer>>,
  readLog: () => Promise<string>,
): Promise<boolean> {
  const asked = [...answers];
  const said = await Promise.all(asked.map(([, answer]) => answer));
  await sleep(LOG_LATE_MS);
  const log = await readLog();
  return asked.some(
    ([request], n) => !log.includes(request) && said[n]?.answered && said[n].problem !== null,
  );
}

export interface Answer {
  /** It came whole, whatever it says. */
  answered: boolean;
  /** Null when all is well. */
  problem: string | null;
}

/** Asks once, on a connection of its own; any certificate will do. Never rejects. */
export function ask(url: URL, requestId: string): Promise<Answer> {
  const client = url.protocol === 'https:' ? https : http;
  return new Promise((resolve) => {
    const options = {
      agent: false,
      rejectUnauthorized: false,
      timeout: ASK_MS,
      headers: { 'user-agent': 'tasuki-probe', 'x-request-id': requestId },
    };
    const req = client.get(url, options, (res) => {
      const { statusCode: status = 0 } = res;
      res.resume();
      res.on('error', (error) => resolve({ answered: false, problem: `${status}, then ${error.message}` }));
      res.on('end', () => resolve({ answered: true, problem: status < 500 ? null : `status ${status}` }));
    });
    req.on('timeout', () => req.destroy(new Error(`no answer within ${ASK_MS / 1000} s`)));
    req.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ answered: false, problem: error.code ?? error.message }),
    );
  });
}

async function addresses({ engine, config, url }: Context): Promise<URL[]> {
  const { probe, url: given } = config.settings;
  const pod = given ? null : await findPod(engine, config); // a given one may be on another machine
  return [url, ...(pod?.tlsUrl ? [pod.tlsUrl] : [])].map((base) => new URL(probe, base));
}

/** One that ends by itself is started again and again by the engine, which is no life either. */
async function requireUp({ engine }: Context, { id, name }: Next, restarts: number): Promise<void> {
  const info = await engine.inspect(id);
  if (info?.State.Running && !info.State.Restarting && info.RestartCount <= restarts) return;
  throw unwell(name, `it ended by itself (exit code ${info?.State.ExitCode})`);
}

function unwell(name: string, what: string, limit?: string): DeployError {
  return new DeployError({
    code: 'PROXY_UNWELL',
    what: `the proxy does not serve: ${what}`,
    subject: name,
    ...(limit && { limit }),
    next: 'correct what its last lines say, and run this again; the old proxy serves',
  });
}
