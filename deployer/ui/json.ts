import type { Output, Renderer } from './plain.ts';

/** One JSON object per line on standard output, each with `v` (the version of this format) and a time. */
export function jsonRenderer({ out }: Output): Renderer {
  const emit: Renderer['emit'] = (event) =>
    out(JSON.stringify({ v: 1, at: new Date().toISOString(), ...event }));
  return { emit, flush: async () => {} };
}
