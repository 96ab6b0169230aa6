import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Queue } from 'bullmq';
import type { RequestHandler } from 'express';

/** In the image its files lie beside the app; else they are where npm put them. */
const BUILT = new URL('./dashboard/', import.meta.url);

/** The dashboard of these queues as a handler for `path`. Loaded at its first use: it is large and seldom looked at. */
export function createDashboard(path: string, queues: Queue[]): RequestHandler {
  const serverAdapter = new ExpressAdapter();
  serverAdapter.setBasePath(path);
  const uiBasePath = existsSync(BUILT)
    ? fileURLToPath(BUILT)
    : dirname(createRequire(import.meta.url).resolve('@bull-board/ui/package.json'));
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue)),
    serverAdapter,
    options: { uiBasePath, uiConfig: { boardTitle: 'Jobs' } },
  });
  const dashboard = serverAdapter.getRouter() as RequestHandler & { disable(setting: string): void };
  dashboard.disable('x-powered-by');
  return dashboard;
}
