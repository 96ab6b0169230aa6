import { formatDuration } from '../duration.ts';
import { shortImage } from '../image.ts';
import type { DeployEvent, Emit } from '../events.ts';
import { PROXY_COMMAND } from '../store/history.ts';
import { endLine, errorLines, probeLine, stepLine } from './words.ts';

export interface Output {
  out: (line: string) => void;
  err: (line: string) => void;
}

/** Shows the events of a run; `flush` resolves when the last is written. */
export interface Renderer {
  emit: Emit;
  flush: () => Promise<void>;
}

export interface Verbosity {
  quiet: boolean;
  verbose: boolean;
}

/** Plain lines: for logs, pipes and CI. Errors go to standard error, the rest to standard output. */
export function plainRenderer({ out, err }: Output, { quiet, verbose }: Verbosity): Renderer {
  const emit: Emit = (event: DeployEvent) => {
    switch (event.type) {
      case 'begin':
        if (!quiet)
          out(
            event.command === PROXY_COMMAND
              ? `${event.command}: ${shortImage(event.image)}, handover ${event.release}`
              : `${event.command}: ${shortImage(event.image)} as release ${event.release}${event.from ? `, after ${event.from}` : ''}`,
          );
        break;
      case 'notice':
        if (event.level === 'warn') err(`warning: ${event.text}`);
        else if (!quiet) out(event.text);
        break;
      case 'step':
        if (!quiet) step(event, out, verbose);
        break;
      case 'progress':
        if (verbose) out(`    ${event.text}`);
        break;
      case 'output':
        if (!quiet) out(`    ${event.text}`);
        break;
      case 'serving':
        if (!quiet) out(`  * release ${event.release} serves, ${formatDuration(event.ms)} after the start`);
        break;
      case 'held':
        out(`look at it: ${event.link}`);
        break;
      case 'error':
        for (const line of errorLines(event.error)) err(line);
        if (event.serving) err(`  serves: release ${event.serving}`);
        break;
      case 'end':
        (event.outcome === 'done' ? out : err)(endLine(event));
        if (event.outcome !== 'done' && event.report) err(`report: ${event.report}`);
        if (event.probe) out(probeLine(event.probe));
        break;
      default:
        event satisfies never;
    }
  };
  return { emit, flush: async () => {} };
}

function step(
  event: Extract<DeployEvent, { type: 'step' }>,
  out: (line: string) => void,
  verbose: boolean,
): void {
  if (event.status === 'start') {
    if (verbose) out(`  > ${event.title}`);
    return;
  }
  out(stepLine(event));
}
