import type { Metrics } from './metrics.ts';

/**
 * Figures whose client is loaded by `load` at the first `open` or `read`: it costs 20 to 30 ms of CPU, which a boot that a deploy
 * waits for can do without. What is told before is held, and counted then.
 */
export function createLateMetrics(load: () => Promise<Metrics>): Metrics & { open(): Promise<void> } {
  const held: ((metrics: Metrics) => void)[] = [];
  let current: Metrics | undefined;
  let opening: Promise<Metrics> | undefined;

  const tell = (what: (metrics: Metrics) => void): void => {
    if (current) what(current);
    else held.push(what);
  };

  const opened = (): Promise<Metrics> =>
    (opening ??= load().then((metrics) => {
      current = metrics;
      for (const what of held.splice(0)) what(metrics);
      return metrics;
    }));

  return {
    begin: () => tell((metrics) => metrics.begin()),
    end: (...figures) => tell((metrics) => metrics.end(...figures)),
    gauge: (...of) => tell((metrics) => metrics.gauge(...of)),
    read: async () => (await opened()).read(),
    open: async () => void (await opened()),
  };
}
