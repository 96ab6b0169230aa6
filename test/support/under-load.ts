import assert from 'node:assert/strict';
import { readLedger, type Ledger } from './ledger.ts';
import {
  assertLoad,
  judge,
  startLoad,
  type Judgement,
  type Load,
  type LoadReport,
  type StartOptions,
} from './load/index.ts';
import { kernelDiff, kernelLosses } from './load/kernel.ts';
import type { Project } from './project.ts';

export interface LoadResult {
  report: LoadReport;
  judgement: Judgement;
  /** Kernel counters that moved and must not; empty when all is well. */
  kernel: string[];
}

/** Keep-alive and new connections, GET and POST, slow uploads and slow responses: as much as the stack takes. */
export const SATURATING: Partial<StartOptions> = {
  mode: 'saturate',
  keepAlive: 24,
  fresh: 8,
  slow: 6,
  slowMs: 2000,
};

/** A load that leaves room for the rest of the test on two slow cores. */
export const STEADY: Partial<StartOptions> = {
  mode: { rate: 150 },
  keepAlive: 16,
  fresh: 16,
  freshShare: 0.5,
  slow: 4,
  slowMs: 2000,
};

/** For what must be met by many at once, and for measurements. */
export const BRISK: Partial<StartOptions> = { ...STEADY, mode: { rate: 300 } };

/** Runs `body` under load, straight to the pod's proxy, and compares what clients saw with the ledger. */
export async function underLoad(
  project: Project,
  options: Partial<StartOptions>,
  body: (load: Load) => Promise<void>,
  ledgerOf: (report: LoadReport) => Promise<Ledger | null> = async (report) =>
    await readLedger(await project.query(), report),
): Promise<LoadResult> {
  const before = await project.kernel();
  const target = options.target ?? `http://${await project.podAddress()}`;
  await using load = await startLoad({ ...options, target });
  await body(load);
  const report = await load.stop();
  const kernel = kernelLosses(kernelDiff(before, await project.kernel()));
  const judgement = judge(report, await ledgerOf(report));
  return { report, judgement, kernel };
}

/** No request failed, no update was lost or done twice, the kernel dropped nothing, and there was a load. */
export function assertNothingLost(
  { report, judgement, kernel }: LoadResult,
  atLeast = 300,
  updates = 10,
): void {
  assertLoad(report, { atLeast, updates });
  assert.ok(judgement.ok, `${judgement.summary}\n${JSON.stringify(report.failures.slice(0, 5), null, 1)}`);
  assert.deepEqual(kernel, []);
}
