import { KINDS } from './options.ts';
import type { Kind, RequestRecord } from './options.ts';

const FRESH = 1;
const REUSED = 2;
const DONE = 4;

/** What became of a request. */
export interface Outcome {
  status: number;
  error: string;
  bytes: number;
  release: string;
  reused: boolean;
}

/** Strings that repeat, as numbers below 256. The last number stands for everything beyond. */
class Names {
  readonly list: string[] = [''];
  readonly #index = new Map<string, number>([['', 0]]);

  of(name: string): number {
    const known = this.#index.get(name);
    if (known !== undefined) return known;
    if (this.list.length > 255) return 255;
    if (this.list.length === 255) name = 'other';
    this.#index.set(name, this.list.length);
    return this.list.push(name) - 1;
  }
}

/**
 * Every request of a run in typed columns: 25 bytes a request, so that millions fit and the garbage collector never
 * sees them. The row is the number in the request's id.
 */
export class Columns {
  readonly run: string;
  readonly releases = new Names();
  readonly errors = new Names();
  rows = 0;
  start = new Float64Array(1 << 20);
  latency = new Float32Array(1 << 20);
  bytes = new Uint32Array(1 << 20);
  status = new Uint16Array(1 << 20);
  kind = new Uint8Array(1 << 20);
  flags = new Uint8Array(1 << 20);
  release = new Uint8Array(1 << 20);
  error = new Uint8Array(1 << 20);

  constructor(run: string) {
    this.run = run;
  }

  /** Notes that a request starts; answers its row. */
  open(kind: number, fresh: boolean, startMs: number): number {
    if (this.rows === this.start.length) this.#grow();
    const row = this.rows++;
    this.start[row] = startMs;
    this.kind[row] = kind;
    this.flags[row] = fresh ? FRESH : 0;
    return row;
  }

  /** Notes how a request ended. */
  close(row: number, endMs: number, outcome: Outcome): void {
    this.latency[row] = endMs - this.start[row]!;
    this.bytes[row] = outcome.bytes;
    this.status[row] = outcome.status;
    this.release[row] = this.releases.of(outcome.release);
    this.error[row] = this.errors.of(outcome.error);
    this.flags[row]! |= DONE | (outcome.reused ? REUSED : 0);
  }

  isDone(row: number): boolean {
    return (this.flags[row]! & DONE) !== 0;
  }

  isFailed(row: number): boolean {
    return this.error[row] !== 0;
  }

  isPost(row: number): boolean {
    return methodOf(KINDS[this.kind[row]!]!) === 'POST';
  }

  /** Whether the answer of this request promises a row in the ledger. */
  isUpdate(row: number): boolean {
    return KINDS[this.kind[row]!]!.endsWith('update');
  }

  connection(row: number): RequestRecord['connection'] {
    const flags = this.flags[row]!;
    return flags & FRESH ? 'fresh' : flags & REUSED ? 'reused' : 'opened';
  }

  record(row: number): RequestRecord {
    const kind = KINDS[this.kind[row]!]!;
    return {
      id: idOf(this.run, row),
      method: methodOf(kind),
      kind,
      connection: this.connection(row),
      status: this.status[row]!,
      error: this.errors.list[this.error[row]!]!,
      bytes: this.bytes[row]!,
      latencyMs: Math.round(this.latency[row]! * 10) / 10,
      release: this.releases.list[this.release[row]!]!,
      startMs: Math.round(this.start[row]!),
    };
  }

  #grow(): void {
    const size = this.start.length * 2;
    this.start = grown(this.start, new Float64Array(size));
    this.latency = grown(this.latency, new Float32Array(size));
    this.bytes = grown(this.bytes, new Uint32Array(size));
    this.status = grown(this.status, new Uint16Array(size));
    this.kind = grown(this.kind, new Uint8Array(size));
    this.flags = grown(this.flags, new Uint8Array(size));
    this.release = grown(this.release, new Uint8Array(size));
    this.error = grown(this.error, new Uint8Array(size));
  }
}

/** The larger column with the content of the smaller. */
function grown<T extends { set(from: T): void }>(column: T, larger: T): T {
  larger.set(column);
  return larger;
}

/** `run-1a2b3c4d-17`: the prefix finds a run in the ledger, the number is the row. */
export function idOf(run: string, row: number): string {
  return `${run}-${row}`;
}

/** GET or POST. */
export function methodOf(kind: Kind): 'GET' | 'POST' {
  return kind === 'home' || kind === 'echo' || kind === 'slow-response' ? 'GET' : 'POST';
}
