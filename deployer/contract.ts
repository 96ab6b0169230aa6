/** The deployer's side of docs/contract.md; the app has its own copy, and a test holds both to the page. */

export const INITIAL_RELEASE = 'initial';
export const RUN_DIR = '/run/tasuki';
/** Where the proxy looks for the page of a maintenance. */
export const MAINTENANCE_DIR = `${RUN_DIR}/maintenance`;
/** Where the proxy looks for its key and certificate, and who it is: it alone may read them. */
export const CERTIFICATES_DIR = '/run/certificates';
export const CERTIFICATE_FILE = 'site.pem';
export const PROXY_UID = 101;
export const RECORD_FILE = 'record.json';
/** The variables of compose.yaml through which a release is chosen. */
export const IMAGE_VARIABLE = 'TASUKI_IMAGE';
export const RELEASE_VARIABLE = 'TASUKI_RELEASE';
/** And how many containers it has. */
export const SCALE_VARIABLE = 'TASUKI_SCALE';

export type Phase = 'booting' | 'standby' | 'serving' | 'draining' | 'parked' | 'exiting';

/**
 * Milliseconds until the last connection was gone; requests answered after leaving the port; requests cut, and the first of
 * them by name; WebSockets and event streams whose clients were sent to come again.
 */
export interface Drain {
  ms: number;
  answered: number;
  cut: number;
  cutRequests?: string[];
  streams?: number;
}

/** Answers on the public port since the children started; `times[n]` took up to 2^(n/2) milliseconds. */
export interface Figures {
  answered: number;
  /** Answers of 500 and above. */
  errors: number;
  times: number[];
}

export interface ReleaseRecord {
  version: 1;
  serving: string;
  known: string[];
  at: string;
}

export interface State {
  protocol: 1;
  release: string;
  phase: Phase;
  onLoan: boolean;
  listen: { host: string; port: number } | { path: string };
  uid: number;
  children: { pid: number; ready: boolean; requests: number; connections: number }[];
  restarts: number;
  record: ReleaseRecord | null;
  drain: Drain | null;
  preview: boolean;
  paused: boolean;
  problem: string | null;
}

export interface CheckResult {
  status: number;
  ms: number;
  body: string;
}
