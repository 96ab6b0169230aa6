import type { ErrorDetails, ExitCode } from './errors.ts';
import type { HookName } from './hooks/schema.ts';
import type { ProbeCount } from './probe.ts';

/** What a run did, as it happens. One stream feeds the terminal, `--json` and the journal. */
export type DeployEvent =
  | { type: 'begin'; command: string; project: string; release: string; image: string; from: string | null }
  | { type: 'notice'; level: 'info' | 'warn'; text: string }
  | { type: 'step'; id: string; title: string; status: 'start' }
  | { type: 'step'; id: string; title: string; status: 'done' | 'undone'; ms: number; detail?: string }
  | { type: 'step'; id: string; title: string; status: 'failed'; ms: number; detail: string }
  | { type: 'progress'; id: string; text: string }
  | { type: 'output'; hook: HookName; text: string }
  | { type: 'serving'; release: string; ms: number }
  | { type: 'held'; release: string; link: string; token: string }
  | {
      type: 'end';
      command: string;
      outcome: Outcome;
      exit: ExitCode;
      release: string;
      image: string;
      ms: number;
      probe: ProbeCount | null;
      /** The file that tells all of the run. */
      report: string | null;
    }
  | { type: 'error'; error: ErrorDetails; serving: string | null };

/** `held`: healthy, and waiting for `deploy admit`; `aborted`: a held release is gone; `returned`: it served, did worse, and the one before serves again. */
export type Outcome = 'done' | 'held' | 'aborted' | 'returned' | 'failed' | 'incomplete' | 'interrupted';

export type Emit = (event: DeployEvent) => void;

/** Sends every event to all sinks, in order. */
export function tee(...sinks: Emit[]): Emit {
  return (event) => {
    for (const sink of sinks) sink(event);
  };
}
