import http from 'node:http';

/** What clients of a unix socket saw, each request on a connection of its own. */
export interface SocketLoad {
  sent: number;
  /** Why requests failed; empty when all were answered with what they had sent. */
  failures: string[];
  /** Answers by release. */
  byRelease: Record<string, number>;
}

/**
 * POSTs from `lanes` clients at once, as fast as they are answered, to who is behind the name of a socket. The server must echo
 * bodies. `stop` ends it when all that was sent is answered.
 */
export function loadSocket(path: string, lanes: number): SocketLoad & { stop: () => Promise<SocketLoad> } {
  const load = { sent: 0, failures: [] as string[], byRelease: {} as Record<string, number> };
  const end = new AbortController();
  const lane = async (): Promise<void> => {
    while (!end.signal.aborted) {
      const body = `update ${(load.sent += 1)}`;
      const answer = await post(path, body);
      if (answer.body === body) load.byRelease[answer.release] = (load.byRelease[answer.release] ?? 0) + 1;
      else load.failures.push(answer.body);
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  return Object.assign(load, { stop: async () => (end.abort(), await all, load) });
}

/** One POST; never rejects: the body is then why it failed. */
function post(socketPath: string, body: string): Promise<{ body: string; release: string }> {
  return new Promise((resolve) => {
    const req = http.request({ socketPath, method: 'POST', agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (part: string) => (text += part));
      res.once('end', () => resolve({ body: text, release: String(res.headers['x-release']) }));
      res.once('error', (error) => resolve({ body: error.message, release: '' }));
    });
    req.once('error', (error: NodeJS.ErrnoException) => resolve({ body: error.code ?? '?', release: '' }));
    req.end(body);
  });
}
