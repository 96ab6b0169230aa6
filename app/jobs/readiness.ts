import type { RequestListener } from 'node:http';
import type { Redis } from 'ioredis';
import { Late, within } from '../cache/deadline.ts';
import type { Database } from '../db/pool.ts';
import { messageOf } from '../errors.ts';

const DEADLINE_MS = 1000;

export interface ReadinessOptions {
  redis: Redis;
  database: Pick<Database, 'read'>;
  release: string;
}

/** `/healthz` and `/readyz` of a worker, in the form of the web role's; anything else is 404. */
export function createReadiness({ redis, database, release }: ReadinessOptions): RequestListener {
  const checks: Record<string, () => Promise<unknown>> = {
    redis: () => within(DEADLINE_MS, redis.ping()),
    mysql: () => within(DEADLINE_MS, database.read('SELECT 1', [], DEADLINE_MS)),
  };

  async function ready(): Promise<{ status: number; body: object }> {
    const answers = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)] as const),
    );
    const failed = answers.filter(([, answer]) => answer !== 'ok').map(([name]) => name);
    const status = failed.length === 0 ? 200 : 503;
    const word = failed.length === 0 ? 'ok' : 'failed';
    return { status, body: { status: word, release, failed, checks: Object.fromEntries(answers) } };
  }

  return (req, res) => {
    const send = ({ status, body }: { status: number; body: object }): void => {
      res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      res.end(JSON.stringify(body));
    };
    if (req.url === '/readyz') void ready().then(send);
    else if (req.url === '/healthz') send({ status: 200, body: { status: 'ok', release, pid: process.pid } });
    else send({ status: 404, body: { error: { code: 'not_found', message: 'there is nothing here' } } });
  };
}

async function outcome(check: () => Promise<unknown>): Promise<string> {
  return await check().then(
    () => 'ok',
    (error: unknown) => (error instanceof Late ? error.message : messageOf(error)),
  );
}
