import type { Express } from 'express';

/** Addresses remembered at most; the peers of this process are a handful of proxies, unless something is wrong. */
const MAX_KNOWN = 1000;

/**
 * Whose word on the client's address, protocol and host is taken (Express's "trust proxy"). Express asks several times
 * for each request and parses the same addresses each time; what it answered is remembered here. A peer without an address
 * came by a unix socket of this instance (a preview, a stand-in), where nobody but the proxy gets.
 */
export function trustProxy(app: Express, trusted: boolean | number | string): void {
  app.set('trust proxy', trusted);
  if (typeof trusted !== 'string') return; // by number of hops: there is nothing to parse
  const ask = app.get('trust proxy fn') as (address: string, hop: number) => boolean;
  const known = new Map<string, boolean>();
  app.set('trust proxy', (address: string | undefined, hop: number) => {
    if (address === undefined) return true;
    const answer = known.get(address) ?? ask(address, hop);
    if (known.size < MAX_KNOWN) known.set(address, answer);
    return answer;
  });
}
