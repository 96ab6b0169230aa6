import { createServer } from 'node:http';
import express from 'express';
import { inChildren } from './children.mjs';

/** Express and nothing around it: a reference, not a peer. */
inChildren((address) => {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.all('/echo', (req, res) => {
    res.json({ method: req.method, path: req.path, query: req.query, headers: req.headers });
  });
  const server = createServer(app);
  server.keepAliveTimeout = 95_000; // the proxy closes idle connections, as with our app
  server.listen(address);
});
