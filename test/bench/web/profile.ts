import { SourceMap, type SourceMapPayload } from 'node:module';
import { docker } from '../../support/containers.ts';
import { shoot, type Shot } from './load.ts';
import type { Stack } from './stack.ts';

/** Where the CPU time of one of our children goes while it is loaded. */

const SHOWN = 15;
/** The load runs before and after what is sampled. */
const MARGIN_SECONDS = 2;

interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number; columnNumber: number };
  }[];
  samples: number[];
  timeDeltas: number[];
}

/** Samples a child under the given load; the functions with the most time of their own, and the same by package. */
export async function profile(stack: Stack, shot: Omit<Shot, 'pod'>, signal: AbortSignal): Promise<string> {
  const { pod, containers } = stack.place('tasuki');
  const load = shoot({ ...shot, pod }, signal);
  const sampled = Math.max(1, shot.seconds - MARGIN_SECONDS);
  const text = docker(['exec', containers.app, 'node', 'ctl', 'profile', '--seconds', String(sampled)]);
  const [sample, json] = await Promise.all([load, text]);
  const times = await selfTimes(JSON.parse(json) as CpuProfile, containers.app);
  const busy = [...times].filter(([name]) => !name.startsWith('(idle)'));
  const total = busy.reduce((sum, [, time]) => sum + time, 0);
  const line = ([name, time]: [string, number]): string =>
    `  ${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}`;
  const packages = new Map<string, number>();
  for (const [name, time] of busy) {
    const origin = packageOf(name);
    packages.set(origin, (packages.get(origin) ?? 0) + time);
  }
  return [
    `${shot.path}: ${sample.perSecond.toFixed(0)} requests/s, p99 ${sample.p99.toFixed(1)} ms, of the child's busy time`,
    ...top(busy).map(line),
    '  by origin:',
    ...top([...packages]).map(line),
    '',
  ].join('\n');
}

function top(entries: [string, number][]): [string, number][] {
  return entries.toSorted(([, a], [, b]) => b - a).slice(0, SHOWN);
}

/** Microseconds by function, named as in the source. */
async function selfTimes(
  { nodes, samples, timeDeltas }: CpuProfile,
  app: string,
): Promise<Map<string, number>> {
  const maps = new Map<string, Promise<SourceMap | null>>();
  const names = new Map<number, string>();
  for (const { id, callFrame } of nodes) {
    const { functionName, url, lineNumber, columnNumber } = callFrame;
    const file = /^file:\/\/(.*)$/.exec(url)?.[1];
    if (file && !maps.has(file)) maps.set(file, readMap(app, file));
    const map = file ? await maps.get(file) : null;
    const entry = map?.findEntry(lineNumber, columnNumber);
    const source = entry && 'originalSource' in entry ? entry.originalSource : url;
    const where = source.replace(/^.*(?=(node_modules|app|build)\/)/, '');
    const line = entry && 'originalLine' in entry ? entry.originalLine + 1 : lineNumber + 1;
    names.set(id, where ? `${functionName || '(anonymous)'} ${where}:${line}` : functionName);
  }
  const times = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)';
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  }
  return times;
}

async function readMap(app: string, file: string): Promise<SourceMap | null> {
  try {
    return new SourceMap(JSON.parse(await docker(['exec', app, 'cat', `${file}.map`])) as SourceMapPayload);
  } catch {
    return null;
  }
}

/** The npm package, the part of the app, or Node itself. */
function packageOf(name: string): string {
  const [, where = name] = / (\S+):\d+$/.exec(name) ?? [];
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(where);
  return inPackage?.[1] ?? (where.startsWith('node:') ? where.split('/')[0]! : where);
}
