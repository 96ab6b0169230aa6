// What a load run is told to do, and what it answers. Times are in milliseconds unless a name says otherwise.

/** The quick kinds share the main lanes; the slow ones have lanes of their own, so that they never throttle the load. */
export const KINDS = ['home', 'echo', 'update', 'slow-echo', 'slow-update', 'slow-response'] as const;
export type Kind = (typeof KINDS)[number];
export type FastKind = 'home' | 'echo' | 'update';
export type SlowKind = 'slow-echo' | 'slow-update' | 'slow-response';

export interface LoadOptions {
  /** Base URL, for example `http://127.0.0.1:8080`. Only addresses of this machine are accepted. */
  target: string;
  /** `saturate`: every lane sends again as soon as it is answered. `{ rate }`: open loop, that many arrivals a second. */
  mode: 'saturate' | { rate: number };
  /** Keep-alive connections: in flight at once (saturate) or at most (open loop). */
  keepAlive: number;
  /** Requests in flight on connections of their own: at once (saturate) or at most (open loop). */
  fresh: number;
  /** Open loop only: the share of arrivals that get a connection of their own, 0 to 1. */
  freshShare: number;
  /** `undici`, or `socket`: our own, which writes at once without looking whether the server has closed meanwhile. */
  keepAliveClient: 'undici' | 'socket';
  /** Lanes that do one slow request after another, alternately keep-alive and on new connections. */
  slow: number;
  /** How long a slow upload is spread, and how long a slow response is asked to take. */
  slowMs: number;
  /** Weights of the quick kinds. */
  mix: Partial<Record<FastKind, number>>;
  /** Weights of the slow kinds. */
  slowMix: Partial<Record<SlowKind, number>>;
  /** Paths of the target; `{id}` and `{ms}` are replaced. */
  paths: Record<Kind, string>;
  /** Text the answer of a kind must contain, besides what the client checks by itself (ids, echoed content). */
  endings: Partial<Record<Kind, string>>;
  /** Answers must carry the request's id in `X-Request-ID`, as the contract says; `false` for foreign images. */
  needsId: boolean;
  /** Headers added to every request, for example `{ host: 'example.test' }`. */
  headers: Record<string, string>;
  /** A quick request unanswered after this long is a failure (`timeout`); slow ones get `slowMs` more. */
  timeoutMs: number;
  /** The run ends by itself after this long, whatever happens to its parent. */
  maxSeconds: number;
  /** Prefix of all request ids; the ledger is searched for it. */
  run: string;
  /** Folder for the files of the report; made when missing. */
  dir: string;
  /** Write one NDJSON line per request, not only per failure. About 150 bytes each. */
  keepRequests: boolean;
}

export interface Counters {
  sent: number;
  answered: number;
  failed: number;
  inFlight: number;
  /** Arrivals of the open loop for which no lane was free: not failures, but less load than asked for. */
  skipped: number;
  /** POSTs to /update that were answered well: each promises one row in the ledger. */
  acknowledgedUpdates: number;
}

/** One request, as far as it got. */
export interface RequestRecord {
  id: string;
  method: string;
  kind: Kind;
  connection: 'reused' | 'opened' | 'fresh';
  status: number;
  /** Empty when all is well, else ECONNRESET, truncated, http-502, timeout, wrong-content ... */
  error: string;
  bytes: number;
  latencyMs: number;
  release: string;
  /** Since the start of the run. */
  startMs: number;
}

export interface Latency {
  p50: number;
  p99: number;
  max: number;
}

export interface Interval {
  label: string;
  atMs: number;
  sent: number;
  failed: number;
  /** Of the quick kinds that started in the interval. */
  latency: Latency;
  longestGapMs: number;
}

export interface LoadReport {
  run: string;
  target: string;
  seconds: number;
  sent: number;
  answered: number;
  failed: number;
  skipped: number;
  perSecond: number;
  /** POSTs to /update; the rows the ledger is compared with. */
  updates: { sent: number; acknowledged: number };
  byKind: Record<string, { sent: number; failed: number }>;
  byRelease: Record<string, { answered: number; failed: number; firstMs: number; lastMs: number }>;
  byConnection: Record<string, { sent: number; failed: number }>;
  byError: Record<string, number>;
  /** Of the quick kinds. */
  latency: Latency;
  /** The longest time in which no request at all was completed. */
  longestGap: { ms: number; atMs: number };
  /** Keep-alive connections the server closed while no request was on them. */
  idleCloses: number;
  /** Bytes that came after a complete response: a response nobody asked for. */
  extraResponses: number;
  /** The first 50; all of them are in `files.failed`. */
  failures: RequestRecord[];
  intervals: Interval[];
  files: { updates: string; failed: string; requests: string | null };
}

export const DEFAULTS: Omit<LoadOptions, 'target' | 'run' | 'dir'> = {
  mode: 'saturate',
  keepAlive: 16,
  fresh: 4,
  freshShare: 0.25,
  keepAliveClient: 'undici',
  slow: 0,
  slowMs: 3000,
  mix: { home: 3, echo: 3, update: 4 },
  slowMix: { 'slow-echo': 1, 'slow-update': 1, 'slow-response': 1 },
  paths: {
    home: '/',
    echo: '/echo?id={id}',
    update: '/update',
    'slow-echo': '/echo',
    'slow-update': '/update',
    'slow-response': '/slow?ms={ms}',
  },
  // A chunked answer could be ended properly by an app that was cut short.
  endings: { home: '</html>', 'slow-response': 'done' },
  needsId: true,
  headers: {},
  timeoutMs: 30_000,
  maxSeconds: 1800,
  keepRequests: false,
};
