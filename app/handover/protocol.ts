import type { IncomingMessage, RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Address } from './address.ts';

/** The shapes of docs/contract.md. The deployer keeps its own copy: the two share the page, not code. */

export type Phase = 'booting' | 'standby' | 'serving' | 'draining' | 'parked' | 'exiting';

/** What a drain did. */
export interface Drain {
  /** From leaving the port to the last connection gone. */
  ms: number;
  /** Requests after leaving the port. */
  answered: number;
  /** Requests still running when the deadline ended them, and the first of them by method and path. */
  cut: number;
  cutRequests?: string[];
  /** WebSockets and streams of events whose clients were sent to come again. */
  streams?: number;
}

/** Which release serves; `record.json` in the run folder. */
export interface ReleaseRecord {
  version: 1;
  serving: string;
  /** Releases that served before, newest first. */
  known: string[];
  /** ISO 8601. */
  at: string;
}

export interface ChildState {
  pid: number;
  ready: boolean;
  requests: number;
  connections: number;
}

export interface State {
  protocol: 1;
  release: string;
  phase: Phase;
  onLoan: boolean;
  listen: Address;
  uid: number;
  children: ChildState[];
  restarts: number;
  record: ReleaseRecord | null;
  drain: Drain | null;
  /** Whoever knows a token can look at this instance through the proxy. */
  preview: boolean;
  /** New requests wait. */
  paused: boolean;
  problem: string | null;
}

/** The worst answer of all children to one request on their private sockets. */
export interface CheckResult {
  status: number;
  ms: number;
  body: string;
}

/** What an instance has answered on the public port since its children started. */
export interface Figures {
  answered: number;
  /** Answers of 500 and above. */
  errors: number;
  /** Answers by their time: the n-th counts those above 2^((n-1)/2) and up to 2^(n/2) milliseconds. */
  times: number[];
}

export type Log = (level: 'info' | 'warn' | 'error', msg: string, fields?: object) => void;

/** How a child serves on the port. */
export interface Manner {
  /** Of so many answers one closes its connection, so that the proxy comes anew: 1 each, 0 none. */
  closeEvery: number;
  /** Listening sockets on the port: the kernel gives each of them, whosever it is, the same share of new connections. */
  sockets: number;
  /** So many new requests wait until this is 0 again; more are answered 503. 0: none waits. */
  hold: number;
}

/** What a child does while it serves, in place of listening on the port: opened at admission, drained once, thrown away. */
export interface Stay {
  open: () => Promise<void>;
  /** Stops taking what is new, finishes what runs, at the latest at the deadline (milliseconds). */
  drain: (deadlineMs: number, gently?: boolean) => Promise<Drain>;
  /** While it drains: nobody is led to it any more, so it need not wait for those who might come. */
  leftAlone?: () => void;
  /** Serves in another manner from now on; nothing to do for work that knows no connections. */
  adopt: (manner: Manner) => Promise<void>;
  /** Requests or jobs taken so far, and connections or jobs open now. */
  readonly requests: number;
  readonly connections: number;
}

export interface Recycle {
  /** A child is replaced after a number of requests between these two, drawn for each, so that they do not leave together. */
  minRequests: number;
  maxRequests: number;
  /** And when its resident memory is above this. */
  maxBytes: number;
}

export interface ServeOptions {
  port: number;
  /** Explicit address; every release must bind the same one, or the kernel will not hand over between them. */
  host: string;
  /** Listen on a unix socket of this name in place of host and port; the name goes from release to release by rename. */
  socket?: string;
  /** Host and port are in a network of its own, and the proxy is told who serves. */
  own?: boolean;
  /** Release id; empty or absent when the deployer did not start this instance. */
  release?: string;
  /** Prefork children, each with a listener of its own. */
  children: number;
  /** Folder of record.json, shared by all instances; absent on a PaaS. */
  runDir?: string;
  controlSocket?: string;
  /** An instance that is parked leaves at this time by itself. */
  keepUntil?: Date;
  /** Parked, it answers requests while nobody listens on the port. */
  standIn?: boolean;
  /** Deadline of the drain on SIGTERM and when the record names another release, in milliseconds. */
  drainTimeoutMs: number;
  /** For WebSockets: what a server's 'upgrade' event gives. When the release leaves, each gets the close code 1012. */
  upgrade?: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** For an instance without a port, a queue worker say. It follows the record and never writes it. */
  stay?: () => Stay;
  /** Answers on the private socket of a child in place of the listener; reached with `ctl` only. */
  inside?: RequestListener;
  /** Runs once, in the supervisor, while the children boot; the instance is not standby before it is done. */
  prepare?: () => Promise<void>;
  /** Runs in each child before it reports ready: connections, caches, the first render. */
  warmUp?: () => Promise<void>;
  /** Runs in each child after its last connection, before it exits. */
  onClose?: () => Promise<void>;
  /** When a child asks to be replaced by a fresh one; absent: never. */
  recycle?: Recycle;
  /** Longer than any proxy keeps idle connections: the proxy closes, never the app (Heroku's router: 90 s). */
  keepAliveTimeoutMs?: number;
  log?: Log;
}

/** Ways to an instance beside the port: before its users meet it, and while the release that serves is dead. */
export type DoorName = 'preview' | 'stand-in';

/** Supervisor to child, over Node's IPC channel; each is answered by a `Reply` with the same id. */
export type Order =
  /** With a path: on the socket that comes along, which was bound to it. */
  | { id: number; do: 'listen'; path?: string }
  | { id: number; do: 'leave'; deadlineMs: number; gently: boolean }
  | { id: number; do: 'alone' }
  | { id: number; do: 'manner'; manner: Manner }
  | { id: number; do: 'door'; name: DoorName; path: string | null }
  | { id: number; do: 'check'; path: string; timeoutMs: number }
  | { id: number; do: 'stats' }
  | { id: number; do: 'figures' }
  | { id: number; do: 'exit'; deadlineMs: number };

/** Child to supervisor. */
export type Message = { ready: true } | { tired: string } | Reply;

/** An order before its id is given. */
export type Ask = Order extends infer O ? (O extends Order ? Omit<O, 'id'> : never) : never;

export type Reply =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; error: { code: string; message: string } };

/** An error with a code that crosses the process boundary. */
export class HandoverError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'HandoverError';
    this.code = code;
  }
}

/** Code and message of anything thrown. */
export function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'ERROR', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'ERROR';
  return { code, message: error.message };
}
