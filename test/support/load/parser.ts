import type { Answer } from './answer.ts';

type Stage = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'done' | 'bad';
const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Reads one HTTP/1.1 response strictly: a wrong status line, a doubtful length or a broken chunk makes it `malformed`,
 * and what comes after its end is counted, not skipped.
 */
export class ResponseParser implements Answer {
  status = 0;
  bytes = 0;
  release = '';
  requestId = '';
  framed = false;
  body: Buffer[] = [];
  /** Whether the server said that it will close. */
  closes = false;
  /** Bytes beyond the end of the response. */
  extra = 0;
  stage: Stage = 'head';
  readonly #keep: boolean;
  #rest = EMPTY;
  #left = 0;

  constructor(keepBody: boolean) {
    this.#keep = keepBody;
  }

  get done(): boolean {
    return this.stage === 'done';
  }

  feed(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = EMPTY;
    while (data.length > 0) {
      const used = this.#step(data);
      if (used < 0) {
        // Not enough of a line yet. Nothing here is longer than a head may be.
        if (data.length > 65_536) this.stage = 'bad';
        this.#rest = data;
        return;
      }
      data = data.subarray(used);
      if (this.stage === 'bad') return;
    }
  }

  /** The connection ended: a response without length is complete now. */
  end(): void {
    if (this.stage === 'body' && !this.framed) this.stage = 'done';
  }

  /** Consumes some bytes; -1 when more are needed. */
  #step(data: Buffer): number {
    switch (this.stage) {
      case 'head': {
        const end = data.indexOf('\r\n\r\n');
        if (end < 0) return -1;
        this.#head(data.toString('latin1', 0, end));
        return end + 4;
      }
      case 'body':
      case 'chunk':
        return this.#take(data);
      case 'chunk-size': {
        const end = data.indexOf('\r\n');
        if (end < 0) return -1;
        const size = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(data.toString('latin1', 0, end));
        this.#left = size === null ? 0 : Number.parseInt(size[1]!, 16);
        this.stage = size === null ? 'bad' : this.#left === 0 ? 'trailer' : 'chunk';
        return end + 2;
      }
      case 'chunk-end':
        if (data.length < 2) return -1;
        this.stage = data[0] === 13 && data[1] === 10 ? 'chunk-size' : 'bad';
        return 2;
      case 'trailer': {
        const end = data.indexOf('\r\n');
        if (end < 0) return -1;
        if (end === 0) this.stage = 'done';
        return end + 2;
      }
      default:
        this.extra += data.length;
        return data.length;
    }
  }

  #take(data: Buffer): number {
    const used = this.framed ? Math.min(this.#left, data.length) : data.length;
    this.bytes += used;
    if (this.#keep) this.body.push(data.subarray(0, used));
    if (!this.framed) return used;
    this.#left -= used;
    if (this.#left === 0) this.stage = this.stage === 'chunk' ? 'chunk-end' : 'done';
    return used;
  }

  #head(head: string): void {
    const [first = '', ...lines] = head.split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3})(?: .*)?$/.exec(first);
    if (status === null) return void (this.stage = 'bad');
    this.status = Number(status[1]);
    // 100 Continue and 103 Early Hints precede the answer.
    if (this.status < 200) return;
    let length: string | null = null;
    let chunked = false;
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon < 1) return void (this.stage = 'bad');
      const value = line.slice(colon + 1).trim();
      switch (line.slice(0, colon).toLowerCase()) {
        case 'content-length':
          if (!/^\d+$/.test(value) || (length !== null && length !== value)) return void (this.stage = 'bad');
          length = value;
          break;
        case 'transfer-encoding':
          if (value.toLowerCase() !== 'chunked') return void (this.stage = 'bad');
          chunked = true;
          break;
        case 'connection':
          this.closes = value.toLowerCase() === 'close';
          break;
        case 'x-release':
          this.release = value;
          break;
        case 'x-request-id':
          this.requestId = value;
          break;
      }
    }
    const empty = this.status === 204 || this.status === 304;
    if (chunked && length !== null) return void (this.stage = 'bad');
    this.framed = chunked || length !== null || empty;
    this.#left = Number(length ?? 0);
    this.stage = chunked ? 'chunk-size' : (this.framed && this.#left === 0) || empty ? 'done' : 'body';
  }
}
