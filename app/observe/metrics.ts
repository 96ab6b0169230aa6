import {
  AggregatorRegistry,
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
} from '@prometheus-io/client';

/** Seconds; what a page may take, from a cache hit to the time limit. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * For these the library would wake up 110 times a second for ever, which is most of what an idle process costs. Its lag at the
 * moment of reading stays, and how long the loop was busy is counted by Node itself.
 */
const COSTLY = [
  ...['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map((figure) => `lag_${figure}_seconds`),
  ...['summary', 'histogram'].map((form) => `utilization_${form}`),
];
const NEVER_MS = 2 ** 31 - 1;

/** The figures of one child. */
export interface Metrics {
  /** Counts a request that has begun. */
  begin(): void;
  /** Counts it as answered; `route` is its pattern, never its path: paths are without number. */
  end(route: string, method: string, status: number, seconds: number): void;
  /** Figures that others keep, read when they are asked for. */
  gauge(name: string, help: string, read: () => number): void;
  /** As data, to be summed over all children by `sum`. */
  read(): Promise<object[]>;
}

/** Starts with the figures of the process: CPU, memory, garbage collection, event loop. */
export function createMetrics(release: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ release });
  collectProcess(registry);
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last of its answer',
    labelNames: ['route', 'method', 'status'],
    buckets: BUCKETS,
    registers: [registry],
  });
  let running = 0; // read when asked for: a gauge of its own would be told twice for each request
  const runningGauge: Gauge = new Gauge({
    name: 'http_requests_running',
    help: 'Requests that are being answered',
    registers: [registry],
    collect: () => runningGauge.set(running),
  });
  return {
    begin: () => void (running += 1),
    end(route, method, status, seconds) {
      running -= 1;
      requests.labels(route, method, String(status)).observe(seconds);
    },
    gauge(name, help, read) {
      const gauge: Gauge = new Gauge({ name, help, registers: [registry], collect: () => gauge.set(read()) });
    },
    read: () => registry.getMetricsAsJSON(),
  };
}

function collectProcess(register: Registry): void {
  collectDefaultMetrics({
    register,
    eventLoopMonitoringPrecision: NEVER_MS,
    eventLoopUtilizationTimeout: NEVER_MS,
  });
  for (const name of COSTLY) register.removeSingleMetric(`nodejs_eventloop_${name}`);
  const busy: Counter = new Counter({
    name: 'nodejs_eventloop_busy_seconds_total',
    help: 'Time in which the event loop did not wait',
    registers: [register],
    collect() {
      busy.reset();
      busy.inc(performance.eventLoopUtilization().active / 1000);
    },
  });
}

/** What several children read, as one text in Prometheus' format. */
export async function sum(all: object[][]): Promise<{ text: string; contentType: string }> {
  const registry = AggregatorRegistry.aggregate(all);
  return { text: await registry.metrics(), contentType: registry.contentType };
}
