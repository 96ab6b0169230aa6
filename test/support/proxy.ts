import { once } from 'node:events';
import net from 'node:net';
import { request } from 'undici';

/** What the tests of the proxy share: a small server behind it, and clients in front of it. */

/** A script for `Stack.runInPod`: answers what it was sent; /die cuts the connection; a WebSocket is echoed. */
export const UPSTREAM = `
import http from 'node:http';
import { createHash } from 'node:crypto';
let connections = 0;
const seen = {};
const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  seen[url.pathname] = (seen[url.pathname] ?? 0) + 1;
  if (url.pathname.startsWith('/die')) return req.socket.destroy();
  let length = 0;
  req.on('data', (chunk) => (length += chunk.length));
  req.on('end', () => {
    res.setHeader('X-Release', 'v1');
    res.setHeader('X-Request-ID', 'from-the-app');
    res.setHeader('X-Powered-By', 'Fixture 1.0');
    res.statusCode = Number(url.searchParams.get('status') ?? 200);
    res.end(JSON.stringify({ method: req.method, headers: req.headers, raw: req.rawHeaders, length, connections, seen }));
  });
});
server.on('connection', () => (connections += 1));
server.on('upgrade', (req, socket) => {
  const key = createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
    'Sec-WebSocket-Accept: ' + key.digest('base64') + '\\r\\n\\r\\n');
  socket.pipe(socket);
});
server.keepAliveTimeout = 95000;
server.listen(3000, '127.0.0.1');
`;

/** The fixture's answer. */
export interface Seen {
  method: string;
  headers: Record<string, string>;
  length: number;
  connections: number;
  seen: Record<string, number>;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

type Options = Parameters<typeof request>[1];

/** One request, whatever its answer is. */
export async function ask(url: string, options?: Options): Promise<Answer> {
  const res = await request(url, { headersTimeout: 10_000, bodyTimeout: 10_000, ...options });
  return { status: res.statusCode, headers: res.headers, text: await res.body.text() };
}

/** One request that the fixture answers. */
export async function see(url: string, options?: Options): Promise<Seen> {
  const { text } = await ask(url, options);
  return JSON.parse(text) as Seen;
}

/** Sends bytes as they are (let them say `Connection: close`) and answers what comes back until the server closes. */
export async function raw(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('utf8').setTimeout(10_000);
  socket.once('timeout', () => socket.destroy(new Error('no answer')));
  let answer = '';
  socket.on('data', (chunk: string) => (answer += chunk));
  socket.write(text);
  await once(socket, 'close');
  return answer;
}
