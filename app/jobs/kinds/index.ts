import type { Kind } from '../process.ts';
import { cheer } from './cheer.ts';
import { digest } from './digest.ts';
import { source } from './source.ts';
import { batch, statistics } from './statistics.ts';
import { tick } from './tick.ts';

/** Every kind of job this release knows, by the job's name. */
export const KINDS: Record<string, Kind> = { batch, cheer, digest, source, statistics, tick };
