import { createHash } from 'node:crypto';
import { idOf, methodOf } from './columns.ts';
import { KINDS } from './options.ts';
import type { LoadOptions } from './options.ts';

/** One request about to be sent. */
export interface Shot {
  row: number;
  id: string;
  method: 'GET' | 'POST';
  path: string;
  body: string;
  /** How long the body is spread; 0 sends it at once. */
  spreadMs: number;
  /** The answer must contain one of these; empty: only its framing and status are checked. */
  expect: string[];
  /** And this one, when not empty. */
  ending: string;
  /** Whether an answer must carry the id in `X-Request-ID`. */
  needsId: boolean;
}

const FILLER = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(30);

/** Makes requests. The text of every POST begins and ends with its id, so that the ledger shows a cut or mixed one. */
export function makeShot(options: LoadOptions, kind: number, row: number): Shot {
  const name = KINDS[kind]!;
  const id = idOf(options.run, row);
  const shot: Shot = {
    row,
    id,
    method: methodOf(name),
    path: options.paths[name],
    body: '',
    spreadMs: 0,
    expect: [],
    ending: options.endings[name] ?? '',
    needsId: options.needsId,
  };
  switch (name) {
    case 'home':
      break;
    case 'echo':
      shot.path = shot.path.replace('{id}', id);
      shot.expect = [id];
      break;
    case 'update':
      shot.body = `{"id":"${id}","text":"${id}"}`;
      shot.expect = [id];
      break;
    case 'slow-update':
      // The app takes 280 characters at most.
      shot.body = `{"id":"${id}","text":"${id} ${FILLER.slice(0, 128)} ${id}"}`;
      shot.expect = [id];
      shot.spreadMs = options.slowMs;
      break;
    case 'slow-echo': {
      const text = `${id} ${FILLER} ${id}`;
      shot.body = `{"text":"${text}"}`;
      shot.spreadMs = options.slowMs;
      // An echo may answer with the content or with its digest; either proves that all of it arrived.
      shot.expect = [text, createHash('sha256').update(shot.body).digest('hex')];
      break;
    }
    case 'slow-response':
      shot.path = shot.path.replace('{ms}', String(options.slowMs));
      break;
  }
  return shot;
}

/** Cuts a body into pieces that are sent one every `everyMs`. */
export function slices(shot: Shot): { pieces: string[]; everyMs: number } {
  const count = Math.max(2, Math.min(shot.body.length, Math.ceil(shot.spreadMs / 100)));
  const size = Math.ceil(shot.body.length / count);
  const pieces: string[] = [];
  for (let at = 0; at < shot.body.length; at += size) pieces.push(shot.body.slice(at, at + size));
  return { pieces, everyMs: shot.spreadMs / pieces.length };
}

/** A repeating order of kinds by weight, the same in every run. */
export function pattern(weights: Record<string, number | undefined>): Uint8Array {
  const cycle = new Uint8Array(1000);
  const chosen = KINDS.map((kind, index) => ({ index, weight: weights[kind] ?? 0 })).filter(
    (k) => k.weight > 0,
  );
  const total = chosen.reduce((sum, k) => sum + k.weight, 0);
  const credit = chosen.map(() => 0);
  // Smooth weighted round robin: no long stretch of one kind, and exact shares without a random generator.
  for (let i = 0; i < cycle.length; i++) {
    let best = 0;
    for (let k = 0; k < chosen.length; k++) {
      credit[k]! += chosen[k]!.weight;
      if (credit[k]! > credit[best]!) best = k;
    }
    credit[best]! -= total;
    cycle[i] = chosen[best]?.index ?? 0;
  }
  return cycle;
}
