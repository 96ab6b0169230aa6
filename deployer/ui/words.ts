import { formatDuration } from '../duration.ts';
import { shortImage } from '../image.ts';
import type { ErrorDetails } from '../errors.ts';
import type { DeployEvent } from '../events.ts';
import type { ProbeCount } from '../probe.ts';
import { PROXY_COMMAND } from '../store/history.ts';
import type { ReportStep } from '../store/report.ts';

/** The one line that ends every run: what the command's own requests through the proxy saw. */
export function probeLine(probe: ProbeCount): string {
  const failures = probe.failures.length ? ` (${[...new Set(probe.failures)].join('; ')})` : '';
  return `sent ${probe.sent}, failed ${probe.failed}, slowest ${probe.slowestMs} ms${failures}`;
}

/** An error as lines: what, on what, evidence, next step. */
export function errorLines(error: ErrorDetails): string[] {
  return [
    `error: ${error.what}`,
    ...(error.subject ? [`  on:    ${error.subject}`] : []),
    ...(error.step ? [`  step:  ${error.step}`] : []),
    ...(error.limit ? [`  limit: ${error.limit}`] : []),
    ...(error.evidence ?? []).map((line) => `  | ${line}`),
    ...(error.undone ? [`  undone: ${error.undone.join('; ') || 'nothing, there was nothing to undo'}`] : []),
    `  next:  ${error.next}`,
  ];
}

/** A step that is over: its mark, its time and what it has to say. */
export function stepLine(step: ReportStep): string {
  const mark = { done: '+', undone: '-', failed: '!' }[step.status];
  const detail = step.detail ? `: ${step.detail}` : '';
  const undone = step.status === 'undone' ? 'undone: ' : '';
  return `  ${mark} ${undone}${step.title} (${formatDuration(step.ms)})${detail}`;
}

/** The closing sentence of a run. */
export function endLine(event: Extract<DeployEvent, { type: 'end' }>): string {
  const took = formatDuration(event.ms);
  switch (event.outcome) {
    case 'done':
      if (event.command === PROXY_COMMAND)
        return `the proxy (${shortImage(event.image)}) is handed over; all done in ${took}`;
      return `release ${event.release} (${shortImage(event.image)}) serves; all done in ${took}`;
    case 'held':
      return `release ${event.release} (${shortImage(event.image)}) is held, nothing changed for your users (${took}); next: deploy admit, or deploy abort`;
    case 'aborted':
      return `release ${event.release} (${shortImage(event.image)}) is removed, nothing changed for your users (${took})`;
    case 'returned':
      return `release ${event.release} (${shortImage(event.image)}) did worse and is taken back: the release before serves again (${took})`;
    case 'failed':
      return `nothing changed for your users: what this run began is undone (${took})`;
    case 'interrupted':
      return `interrupted: what this run began is undone (${took})`;
    case 'incomplete':
      return `incomplete: the switch is made or uncertain, the rest is not done (${took}); deploy status shows what serves`;
    default:
      return event.outcome satisfies never;
  }
}
