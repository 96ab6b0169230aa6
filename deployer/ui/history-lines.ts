import { formatDuration } from '../duration.ts';
import { shortImage } from '../image.ts';
import type { HistoryEntry } from '../store/history.ts';
import type { Report } from '../store/report.ts';
import { errorLines, probeLine, stepLine } from './words.ts';

const SHORT_REVISION = 12;

/** A part of a run; its name is that of what happened meanwhile. */
export interface Phase {
  name: 'prepare' | 'boot' | 'switch' | 'after it';
  ms: number;
}

/** The time of a run's parts: until a container is made, until it is healthy, until the switch is made, and the rest. */
export function phases(steps: HistoryEntry['steps']): Phase[] {
  const sums: Phase[] = [];
  let name: Phase['name'] = 'prepare';
  for (const { id, ms } of steps) {
    if (id === 'create') name = 'boot';
    if (id === 'admit') name = 'switch';
    const last = sums.at(-1);
    if (last?.name === name) last.ms += ms;
    else sums.push({ name, ms });
    if (id === 'promote' || id === 'leave') name = 'after it';
  }
  return sums;
}

/** One run in two lines: who, when, what, which image and revision; how long, how many requests, and how it ended. */
export function entryLines(entry: HistoryEntry): string[] {
  const { at, command, outcome, release, by, servingMs, probe, error } = entry;
  const parts = phases(entry.steps).map(({ name, ms }) => `${name} ${formatDuration(ms)}`);
  const serving = servingMs === null ? '' : `serving after ${formatDuration(servingMs)}, `;
  const took = `${serving}done in ${formatDuration(entry.ms)}${parts.length ? ` (${parts.join(', ')})` : ''}`;
  return [
    `${at}  ${command.padEnd(8)}  ${outcome.padEnd(11)}  ${release}  ${imageWords(entry)}  by ${by}`,
    `    ${[took, ...(probe ? [probeLine(probe)] : []), ...(error ? [error] : [])].join('; ')}`,
  ];
}

/** One run in full; `report` is null when it is not kept any more, and then what the history knows must do. */
export function fullLines(entry: HistoryEntry, report: Report | null): string[] {
  const from = entry.from
    ? [`  after:   ${entry.from} (${shortImage(entry.fromImage ?? 'unknown image')})`]
    : [];
  const about = [...entryLines(entry), ...(entry.imageId ? [`  image:   ${entry.imageId}`] : []), ...from];
  if (!report) {
    const steps = entry.steps.map(({ id, ms }) => `  + ${id} (${formatDuration(ms)})`);
    return [
      ...about,
      ...steps,
      entry.report ? `  its report is not kept any more: ${entry.report}` : '  it has no report',
    ];
  }
  return [
    ...about,
    ...report.notices.map((text) => `  ${text}`),
    ...report.steps.map(stepLine),
    ...(report.error ? errorLines(report.error) : []),
    `  report:  ${entry.report}`,
  ];
}

function imageWords({ image, imageId, revision }: HistoryEntry): string {
  const id = imageId && imageId !== image ? [shortImage(imageId)] : [];
  const about = [...id, ...(revision ? [`revision ${revision.slice(0, SHORT_REVISION)}`] : [])];
  return `${shortImage(image)}${about.length ? ` (${about.join(', ')})` : ''}`;
}
