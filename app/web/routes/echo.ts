import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { IRouter, Request } from 'express';
import { HttpError } from '../../errors.ts';
import type { Deps } from '../app.ts';
import { requestId } from '../identity.ts';

/** Any method on `/echo`: the request as the app sees it. The body may be anything, and come as slowly as it likes. */
export function echo(router: IRouter, { config, release }: Deps): void {
  const instance = { host: hostname(), pid: process.pid };
  router.all('/echo', async (req, res) => {
    const bytes = await readBody(req, config.bodyLimit);
    const text = bytes.toString('utf8');
    res.setHeader('Cache-Control', 'no-store');
    const ips = req.ips; // each time it is asked for, the header is parsed
    const answer = {
      id: requestId(res),
      uuid: randomUUID(),
      time: new Date().toISOString(),
      release,
      instance,
      method: req.method,
      path: req.path,
      query: req.query,
      protocol: req.protocol,
      host: req.host,
      ip: ips[0] ?? req.ip,
      ips,
      headers: req.headers,
      cookies: cookiesOf(req.headers.cookie),
      body: { bytes: bytes.length, text, json: parseJson(text), form: await parseForm(req, bytes, text) },
    };
    res.setHeader('Content-Type', 'application/json; charset=utf-8');
    res.end(JSON.stringify(answer)); // not res.json(): this route is what measurements of the stack ask
  });
}

const NO_BODY = Buffer.alloc(0);

/** Not a body parser: those refuse what they do not understand, and this route is for looking at it. */
async function readBody(req: Request, limit: number): Promise<Buffer> {
  const { 'content-length': announced, 'transfer-encoding': chunked } = req.headers;
  if (announced === undefined && chunked === undefined) return NO_BODY;
  const tooLarge = new HttpError(413, 'too_large', `the body is larger than ${limit} bytes`);
  if (Number(announced) > limit) throw tooLarge;
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
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** The fields of a form, urlencoded or multipart, a file by its name, type and size; null when the body is none. */
async function parseForm(req: Request, bytes: Buffer, text: string): Promise<[string, unknown][] | null> {
  const type = req.headers['content-type'] ?? '';
  if (type.startsWith('application/x-www-form-urlencoded')) return [...new URLSearchParams(text)];
  if (!type.startsWith('multipart/form-data')) return null;
  try {
    const form = await new Response(new Uint8Array(bytes), { headers: { 'content-type': type } }).formData();
    return [...form].map(([name, value]) => [
      name,
      typeof value === 'string' ? value : { file: value.name, type: value.type, bytes: value.size },
    ]);
  } catch {
    return null;
  }
}

/** Names and values as the client sent them; a value that cannot be decoded stays as it is. */
function cookiesOf(header: string | undefined): Record<string, string> {
  if (!header) return {};
  const pairs = header.split(';').map((part) => /^\s*([^=\s]+)\s*=(.*)$/.exec(part));
  return Object.fromEntries(
    pairs.flatMap((pair) => (pair ? [[pair[1], decoded(pair[2]?.trim() ?? '')]] : [])),
  ) as Record<string, string>;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
