import { Router, type Request } from 'express';
import { HttpError } from '../../errors.ts';
import type { Deps } from '../app.ts';
import { requestId } from '../identity.ts';

/** Any method on `/echo`: the request as the app sees it. The body may be anything, and come as slowly as it likes. */
export function echo({ config, release }: Deps): Router {
  const router = Router();
  router.all('/echo', async (req, res) => {
    const bytes = await readBody(req, config.bodyLimit);
    const text = bytes.toString('utf8');
    res.setHeader('Cache-Control', 'no-store');
    res.json({
      id: requestId(res),
      release,
      method: req.method,
      path: req.path,
      query: req.query,
      protocol: req.protocol,
      host: req.host,
      ip: req.ip,
      headers: req.headers,
      body: { bytes: bytes.length, text, json: parseJson(text) },
    });
  });
  return router;
}

/** Not a body parser: those refuse what they do not understand, and this route is for looking at it. */
async function readBody(req: Request, limit: number): Promise<Buffer> {
  const tooLarge = new HttpError(413, 'too_large', `the body is larger than ${limit} bytes`);
  if (Number(req.headers['content-length']) > limit) throw tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** The value, or null when the body is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
