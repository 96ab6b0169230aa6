import http from 'node:http';
import https from 'node:https';

/** What a request through the proxy was answered with. */
export interface Answer {
  status: number;
  /** The release that answered, by its own word. */
  release: string | null;
  requestId: string | null;
  body: string;
}

const TIMEOUT_MS = 10_000;
/** Enough to find a text in a page; the rest of a larger answer is read and forgotten. */
const MAX_BODY = 2 ** 20;

/** One GET; redirects are not followed. An error, or no answer within 10 s, is thrown. */
export function visit(url: URL, headers: Record<string, string>): Promise<Answer> {
  const client = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const req = client.get(url, {
      agent: false,
      signal,
      headers: { 'user-agent': 'tasuki-smoke', ...headers },
    });
    req.on('response', (res) => {
      let body = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        if (body.length < MAX_BODY) body += chunk;
      });
      res.on('error', reject);
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          release: one(res.headers['x-release']),
          requestId: one(res.headers['x-request-id']),
          body,
        }),
      );
    });
    req.on('error', (error) =>
      reject(signal.aborted ? new Error(`no answer within ${TIMEOUT_MS / 1000} s`) : error),
    );
  });
}

function one(value: string | string[] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
