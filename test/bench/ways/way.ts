import type { KernelCounters } from '../../support/load/kernel.ts';

/** One row of the table: a way to replace a running server by its next version. */
export interface Way {
  /** For `--rows`. */
  name: string;
  title: string;
  /** Brings the first version up behind a proxy. `dir` is seen by the app as `/ways`; `version` in it names what it is. */
  up(run: Run): Promise<Site>;
}

/** A server that runs. */
export interface Site extends AsyncDisposable {
  /** Base URL of the proxy before it. */
  url: string;
  /** Replaces what runs by version `n`, as an operator would; resolves when the commands are through. */
  reload(n: number): Promise<void>;
  /** Counters of the network namespace in which the server listens; null where there is not one that stays. */
  kernel(): Promise<KernelCounters | null>;
  /** What the server wrote, its end. */
  log(): Promise<string>;
}

/** One start of a way. */
export interface Run {
  /** Unique; names containers. */
  id: string;
  dir: string;
}

/** The label of every container the bench starts by itself. */
export const LABEL = 'tasuki-bench-ways';
