import { createServer } from 'node:http';
import { inChildren } from './children.mjs';

/** The least that Node can do for `/echo`: a reference, not a peer. */
inChildren((address) => {
  const server = createServer((req, res) => {
    const body = JSON.stringify({ method: req.method, url: req.url, headers: req.headers });
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    res.end(body);
  });
  server.keepAliveTimeout = 95_000; // the proxy closes idle connections, as with our app
  server.listen(address);
});
