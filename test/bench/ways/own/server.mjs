// The app of ../peers/app.py, on the handover library.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { exitOnFailure, serve } from './handover/index.js';

const version = readFileSync('/ways/version', 'utf8').trim();

async function answer(req) {
  const url = new URL(req.url, 'http://app');
  switch (url.pathname) {
    case '/':
      return ['text/html', '<!doctype html><html><body>hello</body></html>'];
    case '/version':
    case '/healthz':
    case '/readyz':
      return ['text/plain', version];
    case '/slow':
      await delay(Number(url.searchParams.get('ms')));
      return ['text/plain', 'done'];
    case '/update': {
      let text = '';
      for await (const chunk of req) text += chunk;
      return ['application/json', JSON.stringify({ done: JSON.parse(text).id })];
    }
    default:
      return ['application/json', JSON.stringify({ query: Object.fromEntries(url.searchParams) })];
  }
}

async function handle(req, res) {
  const [type, text] = await answer(req);
  const id = req.headers['x-request-id'] ?? '';
  res.writeHead(200, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'X-Request-ID': id,
  });
  res.end(text);
}

// A child takes as long to boot as the peers' app to be imported.
serve((req, res) => void handle(req, res).catch(() => res.destroy()), { warmUp: () => delay(500) }).catch(
  exitOnFailure,
);
