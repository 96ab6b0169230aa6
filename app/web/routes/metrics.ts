import type { IRouter } from 'express';
import { summedMetrics } from '../../observe/inside.ts';

/**
 * `GET /metrics`: the figures of this instance in Prometheus' format, for who asks without a proxy in between. Every proxy says
 * for whom it asks; such a request gets what an unknown path gets.
 */
export function metrics(router: IRouter): void {
  router.get('/metrics', async (req, res, next) => {
    if (req.headers['x-forwarded-for'] !== undefined || req.headers.forwarded !== undefined) return next();
    const { text, contentType } = await summedMetrics();
    res.setHeader('Content-Type', contentType);
    res.setHeader('Cache-Control', 'no-store');
    res.send(text);
  });
}
