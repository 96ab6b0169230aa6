import { createHash, timingSafeEqual } from 'node:crypto';
import type { IRouter, RequestHandler } from 'express';
import type { JobDeps } from '../app.ts';
import { sameOrigin } from '../same-origin.ts';

const PATH = '/admin/jobs';

/** The dashboard brings its styles along in the page, and asks this site for the rest. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join(';');

/** `/admin/jobs`: the queues, their jobs, and a button to try one again. Without a password there is no such page. */
export function admin(router: IRouter, { adminPassword, jobs }: JobDeps): void {
  if (!adminPassword) return;
  let loading: Promise<RequestHandler> | null = null;
  router.use(PATH, askPassword(adminPassword), sameOrigin, async (req, res, next) => {
    const { queues } = await jobs.get();
    loading ??= import('../../jobs/dashboard.ts').then(({ createDashboard }) =>
      createDashboard(PATH, queues),
    );
    const dashboard = await loading;
    res.setHeader('Content-Security-Policy', POLICY);
    res.setHeader('Cache-Control', 'no-store');
    dashboard(req, res, next);
  });
}

/** HTTP basic authentication, whatever the name. Digests are compared: they are of one length, and tell nothing by the time it takes. */
function askPassword(password: string): RequestHandler {
  const right = digest(password);
  return (req, res, next) => {
    const [, encoded = ''] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(req.headers.authorization ?? '') ?? [];
    const given = Buffer.from(encoded, 'base64').toString();
    const at = given.indexOf(':');
    if (at >= 0 && timingSafeEqual(digest(given.slice(at + 1)), right)) return next();
    res.setHeader('WWW-Authenticate', 'Basic realm="jobs", charset="UTF-8"');
    res.setHeader('Cache-Control', 'no-store');
    res.status(401).type('text/plain').send('a password is needed\n');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
