import type { Outcome } from './columns.ts';
import type { Shot } from './shots.ts';

/** One request at a time, on a kept connection or on a new one each time. A lane never sends anything twice. */
export interface Lane {
  readonly fresh: boolean;
  /** Sends; `done` of the sink is called exactly once, never from within this call. */
  send(shot: Shot): void;
  /** Gives the request in flight up, with this code. */
  abort(code: string): void;
  /** Closes what is open. No request is in flight any more. */
  close(): void;
}

/** Where lanes put what they have seen. */
export interface Sink {
  done(lane: Lane, shot: Shot, outcome: Outcome): void;
  /** The server closed a kept connection while no request was on it. */
  idleClose(): void;
  /** Bytes arrived that belong to no request. */
  extraResponse(): void;
}

/** Where to, in the parts that sockets need. */
export interface Target {
  origin: string;
  host: string;
  port: number;
  /** Added to every request. */
  headers: Record<string, string>;
}
