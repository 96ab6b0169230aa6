/** What `deploy status --json` prints. */
export interface Status {
  record: { serving: string; known: string[] } | null;
  instances: {
    id: string;
    name: string;
    release: string;
    visible: boolean;
    running: boolean;
    state: { phase: string } | null;
  }[];
  lock: unknown;
  interruption: unknown;
}
