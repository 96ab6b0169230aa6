import type { IRouter } from 'express';
import { messageOf } from '../../errors.ts';
import type { Deps } from '../app.ts';

const DEADLINE_MS = 1000;

/** `/healthz`: this process is alive. `/readyz`: what it depends on answers within a second. */
export function health(router: IRouter, { database, release }: Deps): void {
  router.get('/healthz', (_req, res) => {
    res.setHeader('Cache-Control', 'no-store');
    res.json({ status: 'ok', release, pid: process.pid, uptime: Math.round(process.uptime()) });
  });

  router.get('/readyz', async (_req, res) => {
    const checks: Record<string, Promise<unknown>> = { mysql: database.read('SELECT 1', [], DEADLINE_MS) };
    const answers = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)] as const),
    );
    const failed = answers.filter(([, answer]) => answer !== 'ok').map(([name]) => name);
    res.setHeader('Cache-Control', 'no-store');
    res.status(failed.length === 0 ? 200 : 503).json({
      status: failed.length === 0 ? 'ok' : 'failed',
      release,
      failed,
      checks: Object.fromEntries(answers),
    });
  });
}

/** 'ok', or what is wrong; never later than the deadline. */
async function outcome(check: Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, DEADLINE_MS, `no answer within ${DEADLINE_MS} ms`);
  });
  const answer = check.then(
    () => 'ok',
    (error: unknown) => messageOf(error),
  );
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
