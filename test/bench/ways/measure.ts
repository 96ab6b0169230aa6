import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { startLoad, type LoadReport, type StartOptions } from '../../support/load/index.ts';
import { kernelDiff } from '../../support/load/kernel.ts';
import type { Round } from './figures.ts';
import type { Site, Way } from './way.ts';

/** From one reload to the next. Fixed, for losses per 100,000 requests depend on it; a slow reload makes its own longer. */
export const EVERY_MS = 5000;
/** Far below what every row takes on two cores. */
export const RATE = 200;
/** So many answers in a row must be the new version's: a row may have eight processes, each with its own. */
const IN_A_ROW = 60;
const CHANGED_MS = 300_000;
/** After it answers alone, for what is lost only when the old one ends. */
const CALM_MS = 1000;

/** Open loop, half of it on connections of their own; lanes enough for a stall of 4 s, before arrivals are skipped. */
const LOAD: Partial<StartOptions> = {
  mode: { rate: RATE },
  keepAlive: 400,
  fresh: 800,
  freshShare: 0.5,
  mix: { home: 3, echo: 3, update: 4 },
  slow: 4,
  slowMs: 250,
  slowMix: { 'slow-response': 1 },
  timeoutMs: 10_000,
  maxSeconds: 900,
};

/** As much as the machine takes, for the accept queues that only fill then: not a comparison of ways. */
const SATURATING: Partial<StartOptions> = { ...LOAD, mode: 'saturate', keepAlive: 32, fresh: 32 };

/** Brings a way up, reloads it `reloads` times under load, and takes it down. */
export async function measure(
  way: Way,
  { reloads, saturate }: { reloads: number; saturate: boolean },
  signal: AbortSignal,
): Promise<Round> {
  const id = `ways-${way.name}-${randomBytes(3).toString('hex')}`;
  const dir = await mkdtemp(join(tmpdir(), 'tasuki-ways-'));
  const pressure = await cpuPressure();
  try {
    await chmod(dir, 0o755); // the app may run under another uid
    await setVersion(dir, 1);
    await using site = await way.up({ id, dir });
    try {
      return {
        pressure,
        ...(await underLoad(way, site, { dir, reloads, load: saturate ? SATURATING : LOAD }, signal)),
      };
    } catch (error) {
      if (signal.aborted) throw error;
      const log = await site.log().catch(() => 'no log');
      throw new Error(`${way.name}: ${(error as Error).message}\n${log}`, { cause: error });
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function underLoad(
  way: Way,
  site: Site,
  { dir, reloads, load: options }: { dir: string; reloads: number; load: Partial<StartOptions> },
  signal: AbortSignal,
): Promise<Round> {
  await changed(site.url, 1, signal);
  const before = await site.kernel();
  await using load = await startLoad({ ...options, target: site.url });
  await load.until(({ answered }) => answered >= RATE / 2, 10_000);
  const took: number[] = [];
  for (let n = 2; n < reloads + 2; n++) {
    signal.throwIfAborted();
    await setVersion(dir, n);
    await load.mark(`reload ${n - 1}`);
    const begin = performance.now();
    const done = Promise.all([changed(site.url, n, signal), site.reload(n)]);
    await Promise.race([done, aborted(signal)]);
    took.push(Math.round(performance.now() - begin));
    const rest = Math.max(CALM_MS, begin + EVERY_MS - performance.now());
    await delay(rest, undefined, { signal });
  }
  const report = await load.stop();
  const after = await site.kernel();
  return roundOf(way, report, took, before && after ? kernelDiff(before, after) : null);
}

function roundOf(way: Way, report: LoadReport, took: number[], kernel: Round['kernel']): Round {
  const { sent, failed, skipped, extraResponses, byError, byKind, byConnection, seconds } = report;
  const reloads = report.intervals.slice(1).map(({ longestGapMs, latency, failed: lost }, index) => ({
    lost,
    gapMs: longestGapMs,
    slowestMs: latency.max,
    doneMs: took[index]!,
  }));
  const counts = { sent, failed, skipped, extraResponses, seconds };
  return {
    way: way.name,
    at: new Date().toISOString(),
    ...counts,
    reloads,
    byError,
    byKind,
    byConnection,
    kernel,
  };
}

/** Rejects when the bench is stopped: what runs in a container ends with it, and nobody has to wait for it. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return promise;
}

async function cpuPressure(): Promise<number> {
  const text = await readFile('/proc/pressure/cpu', 'utf8').catch(() => '');
  return Number(/^some avg10=([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
}

/** Says what the next process to start is. */
async function setVersion(dir: string, n: number): Promise<void> {
  await writeFile(join(dir, 'version.new'), `${n}\n`);
  await rename(join(dir, 'version.new'), join(dir, 'version'));
}

/** Waits until nobody but version `n` answers. A reload that has replaced nothing loses nothing, and is no reload. */
async function changed(url: string, n: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + CHANGED_MS;
  let inARow = 0;
  let last = '';
  while (inARow < IN_A_ROW) {
    signal.throwIfAborted();
    if (performance.now() > end) throw new Error(`version ${n} did not answer alone; the last said: ${last}`);
    last = await version(url).catch((error: Error) => error.message);
    inARow = last === String(n) ? inARow + 1 : 0;
    if (inARow === 0) await delay(50);
  }
}

async function version(url: string): Promise<string> {
  const timeouts = { headersTimeout: 5000, bodyTimeout: 5000 };
  const { body } = await request(`${url}/version`, { reset: true, ...timeouts });
  return await body.text();
}
