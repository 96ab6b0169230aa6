import type { DeployEvent } from '../../deployer/events.ts';

/** What one run of `deploy` has said. */
export interface Run {
  exitCode: number;
  stdout: string;
  stderr: string;
  /** The `--json` events, when they were asked for. */
  events: (DeployEvent & { at: string })[];
}

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

/** The events among the lines of standard output. */
export function parseEvents(text: string): Run['events'] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Run['events'][number]);
}
