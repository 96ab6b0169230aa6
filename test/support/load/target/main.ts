// A small HTTP server with chosen faults, in a process of its own: what the load client is tested against.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';

export interface TargetOptions {
  name: string;
  /** 0: any free port. */
  port: number;
  /** SQLite file that stands for the ledger. */
  ledger: string;
  /** Every n-th connection is destroyed when it is accepted. */
  destroyConnection?: number;
  /** Every n-th request is answered by destroying its connection. */
  destroyRequest?: number;
  /** Every n-th response ends in the middle of its body; a length, or the last chunk, then is missing. */
  truncate?: number;
  chunked?: boolean;
  /** Every n-th update is executed twice. */
  twice?: number;
  /** Every n-th update is acknowledged and not executed. */
  forget?: number;
  /** Every n-th response carries the id of another request. */
  mixUp?: number;
  /** Every n-th upload loses a byte. */
  mangle?: number;
  /** Every n-th response is followed by a second one. */
  repeat?: number;
}
/** What the server knows that it did. */
export interface TargetFacts {
  connections: number;
  requests: number;
  faults: number;
}

const options = JSON.parse(process.argv[2]!) as TargetOptions;
const facts: TargetFacts = { connections: 0, requests: 0, faults: 0 };
const ledger = new DatabaseSync(options.ledger, { timeout: 5000 });
ledger.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
ledger.exec('CREATE TABLE IF NOT EXISTS cheers (seq INTEGER PRIMARY KEY, id TEXT, text TEXT)');
const insert = ledger.prepare('INSERT INTO cheers (id, text) VALUES (?, ?)');

/** Counters of their own, since requests of other kinds come in between. */
const seen = new Map<keyof TargetOptions, number>();
function strikes(fault: keyof TargetOptions): boolean {
  const every = options[fault] as number | undefined;
  if (every === undefined) return false;
  const count = (seen.get(fault) ?? 0) + 1;
  seen.set(fault, count);
  if (count % every !== 0) return false;
  facts.faults++;
  return true;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  facts.requests++;
  if (strikes('destroyRequest')) return void request.socket.destroy();
  const id = String(request.headers['x-request-id']);
  const sent = await text(request);
  const url = new URL(request.url!, 'http://target');
  let body = `<html>${'x'.repeat(200)} ${id} done</html>`;
  if (url.pathname === '/echo') {
    const content = sent !== '' && strikes('mangle') ? sent.replace('abc', 'ac') : sent;
    body = JSON.stringify({ url: request.url, content });
  } else if (url.pathname === '/update') update(sent);
  const wait = Number(url.searchParams.get('ms') ?? 0);
  const reply = (): void => send(request, response, strikes('mixUp') ? `${id}0` : id, body);
  if (wait > 0) setTimeout(reply, wait);
  else reply();
}

function update(sent: string): void {
  const { id, text: content } = JSON.parse(sent) as { id: string; text: string };
  if (strikes('forget')) return;
  insert.run(id, content);
  if (strikes('twice')) insert.run(id, content);
}

function send(request: IncomingMessage, response: ServerResponse, id: string, body: string): void {
  const length = options.chunked ? {} : { 'content-length': body.length };
  response.writeHead(200, { 'x-request-id': id, 'x-release': options.name, ...length });
  if (strikes('truncate')) {
    response.write(body.slice(0, body.length / 2), () => request.socket.destroy());
    return;
  }
  if (options.chunked) response.write(body.slice(0, 10));
  response.end(options.chunked ? body.slice(10) : body, () => {
    if (strikes('repeat')) request.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  });
}

const server = createServer((request, response) => {
  // A connection that breaks during an upload is the client's to report.
  answer(request, response).catch(() => request.socket.destroy());
});
server.keepAliveTimeout = 0;
server.on('connection', (socket) => {
  facts.connections++;
  if (strikes('destroyConnection')) socket.destroy();
});
server.listen({ port: options.port, host: '127.0.0.1', reusePort: options.port !== 0, backlog: 511 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', (command: 'facts' | 'close') => {
  if (command === 'facts') process.send?.({ facts });
  // Node's own way to stop, which is the negative control.
  else server.close(() => process.exit(0));
});
process.on('disconnect', () => process.exit(0));
