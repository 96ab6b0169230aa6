import type { Logger } from '../log.ts';
import type { Part } from './context.ts';

/** This file is all that is loaded of tracing where nobody is to be told: the packages stay on disk. */

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** What the SDK of this language does not read by itself; the exporter reads the other OTEL_ variables. */
export interface TracingConfig {
  sampler: (typeof SAMPLERS)[number];
  /** Of the samplers with a ratio: the share that is kept. */
  ratio: number;
}

/** A part of the work, in milliseconds of `performance.now()`. */
export interface Step {
  part: Part;
  start: number;
  end: number;
}

export interface Outcome {
  name: string;
  attributes: Record<string, string | number | boolean>;
  /** What kind of failure, of few kinds. */
  error?: string | undefined;
}

/** One request or job as its trace knows it. */
export interface Trace {
  /** W3C `traceparent`: what is begun elsewhere carries it along. */
  readonly parent: string;
  /** Where its parts are noted; absent: this trace is not kept, and `end` needs to be told nothing. */
  readonly steps?: Step[];
  end(outcome: Outcome): void;
}

/** What the caller sent along, if anything. */
export interface Caller {
  traceparent?: string | undefined;
  tracestate?: string | undefined;
}

export interface Tracing {
  begin(kind: 'request' | 'job', caller: Caller): Trace;
  /** Sends what is left; never takes longer than a second. */
  close(): Promise<void>;
}

/** Who says it. */
export interface Origin {
  role: string;
  release: string;
}

export interface LateTracing {
  /** Undefined: nobody is to be told, or not loaded yet. */
  readonly current: Tracing | undefined;
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** Loads what makes spans and sends them, where that is wanted. A failure is told, and the app goes on without. */
export function openTracing(config: TracingConfig | undefined, origin: Origin, log: Logger): LateTracing {
  const late = { current: undefined as Tracing | undefined, ready: Promise.resolve() };
  if (config) {
    late.ready = import('./otlp.ts')
      .then(({ createTracing }) => void (late.current = createTracing(config, origin, log)))
      .catch((error: unknown) => log.error({ err: error }, 'not traced'));
  }
  return Object.assign(late, {
    async close() {
      await late.ready;
      await late.current?.close();
    },
  });
}

/** The standard variables: undefined where none names an endpoint, or tracing is switched off. */
export function tracingOf(
  env: Record<string, string | undefined>,
  problems: string[],
): TracingConfig | undefined {
  const endpoints = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'];
  const given = endpoints.filter((name) => env[name]);
  const off = env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none';
  if (given.length === 0 || off) return undefined;

  for (const name of given)
    if (!isHttp(env[name] ?? '')) problems.push(`${name} must look like http://collector:4318`);
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/json';
  // Whoever takes one of these over HTTP takes the other.
  if (!/^http\/(json|protobuf)$/.test(protocol))
    problems.push(`OTEL_EXPORTER_OTLP_PROTOCOL is ${protocol}: only OTLP over HTTP is spoken here`);
  const sampler = SAMPLERS.find((name) => name === (env.OTEL_TRACES_SAMPLER || 'parentbased_always_on'));
  if (!sampler) problems.push(`OTEL_TRACES_SAMPLER must be one of ${SAMPLERS.join(', ')}`);
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG || '1');
  if (!(ratio >= 0 && ratio <= 1)) problems.push('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1');
  return sampler && { sampler, ratio };
}

function isHttp(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
