import assert from 'node:assert/strict';
import { freshTlsClients, http2Clients, restingClients, type Seen } from './proxy-clients.ts';
import type { Project } from './project.ts';
import { underLoad, type LoadResult } from './under-load.ts';
import type { Load, StartOptions } from './load/index.ts';

/** Longer than the proxy protects a connection that rests. */
const REST_MS = 9000;

export interface AllSeen {
  load: LoadResult;
  http2: Seen;
  tls: Seen;
  resting: Seen;
}

/** Runs `body` while clients of every kind ask: new and kept connections with the ledger, HTTP/2 and HTTP/1.1 with TLS, and resting ones. */
export async function underAllClients(
  project: Project,
  options: Partial<StartOptions>,
  body: (load: Load) => Promise<void>,
): Promise<AllSeen> {
  const address = await project.podAddress();
  const end = new AbortController();
  const { signal } = end;
  const http2 = http2Clients(`https://${address}/healthz`, { connections: 6, streams: 4, signal });
  const resting = restingClients(`http://${address}/healthz`, { connections: 60, restMs: REST_MS, signal });
  const tls = freshTlsClients(`https://${address}/healthz`, { connections: 2, signal });
  try {
    const load = await underLoad(project, options, body);
    end.abort();
    return { load, http2: await http2, tls: await tls, resting: await resting };
  } finally {
    end.abort();
  }
}

/** What the clients besides the ledger's have seen, in one line. */
export function seenLine({ http2, tls, resting }: AllSeen): string {
  const of = (name: string, { answered, failed, closed, again }: Seen): string =>
    `${name}: ${answered} answered, ${failed.length} failed, ${closed} connections closed cleanly, ${again} requests refused unread and sent again`;
  return `${of('HTTP/2', http2)} · new with TLS: ${tls.answered} answered, ${tls.failed.length} failed · ${of('resting', resting)}`;
}

/** Nothing failed, and there was something to fail. */
export function assertNoneFailed({ http2, tls, resting }: AllSeen): void {
  for (const [kind, seen] of Object.entries({ http2, tls, resting })) {
    assert.deepEqual(seen.failed.slice(0, 5), [], kind);
    assert.ok(seen.answered > 100, `${kind}: ${seen.answered} answered`);
    if (kind !== 'tls') assert.ok(seen.closed > 0, `${kind}: no connection was closed, so nothing was tried`);
  }
}
