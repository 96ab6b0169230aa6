import http from 'node:http';

/** One GET over a unix socket; the answer as it comes. Rejects when nobody answers within `timeoutMs`. */
export function getOver(socketPath: string, path: string, timeoutMs: number): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, path, agent: false, timeout: timeoutMs, headers: { host: 'localhost' } };
    const req = http.get(options, resolve);
    req.on('timeout', () => req.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    req.on('error', reject);
  });
}

/** The whole body as text. */
export async function textOf(res: http.IncomingMessage): Promise<string> {
  res.setEncoding('utf8');
  let text = '';
  for await (const chunk of res) text += chunk as string;
  return text;
}
