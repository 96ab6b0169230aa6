import dns from 'node:dns';
import type { LookupFunction } from 'node:net';

/** A name server that says nothing for so long is not waited for, where the address is known from before. */
const PATIENCE_MS = 500;

type Answer = Parameters<Parameters<LookupFunction>[2]>;

/**
 * Looks a name up, and answers with what it last heard when the name server is away: it goes with the engine, and comes back
 * with it, while all the containers go on. An address of the past that leads nowhere fails as it would without.
 */
export function rememberingLookup(ask: LookupFunction = dns.lookup): LookupFunction {
  const known = new Map<string, Answer>();
  return (hostname, options, callback) => {
    const key = JSON.stringify([hostname, options]);
    const before = known.get(key);
    let answered = false;
    const answer = (...given: Answer): void => {
      if (answered) return;
      answered = true;
      clearTimeout(timer);
      callback(...given);
    };
    const timer = before && setTimeout(() => answer(...before), PATIENCE_MS);
    ask(hostname, options, (...given) => {
      if (given[0] === null) known.set(key, given);
      answer(...(given[0] && before ? before : given));
    });
  };
}
