import assert from 'node:assert/strict';
import { http2Clients, restingClients, type Seen } from './proxy-clients.ts';
import type { Project } from './project.ts';
import { underLoad, type LoadResult } from './under-load.ts';
import type { Load, StartOptions } from './load/index.ts';

/** Longer than the proxy protects a connection that rests. */
const REST_MS = 9000;

export interface AllSeen {
  load: LoadResult;
  http2: Seen;
  resting: Seen;
}

/** Runs `body` while clients of every kind ask: new and kept connections with the ledger, HTTP/2 with TLS, and resting ones. */
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
  try {
    const load = await underLoad(project, options, body);
    end.abort();
    return { load, http2: await http2, resting: await resting };
  } finally {
    end.abort();
  }
}

/** What clients of HTTP/2, and those that rest, have seen, in one line. */
export function seenLine({ http2, resting }: AllSeen): string {
  const of = (name: string, { answered, failed, closed, again }: Seen): string =>
    `${name}: ${answered} answered, ${failed.length} failed, ${closed} connections closed cleanly, ${again} requests refused unread and sent again`;
  return `${of('HTTP/2', http2)} · ${of('resting', resting)}`;
}

/** Nothing failed, and there was something to fail. */
export function assertNoneFailed({ http2, resting }: AllSeen): void {
  for (const [kind, seen] of Object.entries({ http2, resting })) {
    assert.deepEqual(seen.failed.slice(0, 5), [], kind);
    assert.ok(seen.answered > 100, `${kind}: ${seen.answered} answered`);
    assert.ok(seen.closed > 0, `${kind}: no connection was closed, so nothing was tried`);
  }
}
