import { hostname } from 'node:os';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace as traces, type Context } from '@opentelemetry/api';
import { ExportResultCode, parseTraceParent, TraceState, type ExportResult } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import type { Logger } from '../log.ts';
import type { Caller, Origin, Step, Tracing, TracingConfig } from './tracing.ts';

/** What is left when a child leaves is worth this much of its drain. */
const CLOSE_MS = 1000;

const KINDS = { request: SpanKind.SERVER, job: SpanKind.CONSUMER };

/**
 * Makes spans of requests and jobs and sends them, many together, to where the OTEL_EXPORTER_OTLP_ variables say. Nothing
 * waits for that: what cannot be sent in time is dropped. Loaded only where tracing is on.
 */
export function createTracing(config: TracingConfig, origin: Origin, log: Logger): Tracing {
  const provider = new TracerProvider({
    resource: resourceOf(origin),
    sampler: samplerOf(config),
    spanProcessors: [new BatchSpanProcessor({ exporter: telling(new OTLPTraceExporter(), log) })],
  });
  const tracer = provider.getTracer('tasuki', origin.release);

  return {
    begin(kind, caller) {
      // Parts are measured by a clock that never jumps; spans tell the time of day.
      const offset = Date.now() - performance.now();
      const span = tracer.startSpan(kind, { kind: KINDS[kind] }, contextOf(caller));
      const { traceId, spanId, traceFlags } = span.spanContext();
      const parent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
      if (!span.isRecording()) return { parent, end: () => {} };
      const steps: Step[] = [];
      return {
        parent,
        steps,
        end({ name, attributes, error }) {
          const inside = traces.setSpan(ROOT_CONTEXT, span);
          for (const { part, start, end } of steps)
            tracer.startSpan(part, { startTime: start + offset }, inside).end(end + offset);
          span.updateName(name).setAttributes(attributes);
          if (error !== undefined)
            span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', error);
          span.end(performance.now() + offset);
        },
      };
    },

    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
      await Promise.race([provider.shutdown().catch(() => {}), late]); // why it failed has been told
      clearTimeout(timer);
    },
  };
}

/** A parent that makes no sense is none. */
function contextOf({ traceparent, tracestate }: Caller): Context {
  const parent = traceparent === undefined ? null : parseTraceParent(traceparent);
  if (!parent) return ROOT_CONTEXT;
  const traceState = tracestate === undefined ? {} : { traceState: new TraceState(tracestate) };
  return traces.setSpanContext(ROOT_CONTEXT, { ...parent, ...traceState, isRemote: true });
}

function samplerOf({ sampler, ratio }: TracingConfig): Sampler {
  if (sampler.endsWith('always_off')) return based(sampler, new AlwaysOffSampler());
  if (sampler.endsWith('always_on')) return based(sampler, new AlwaysOnSampler());
  return based(sampler, new TraceIdRatioBasedSampler(ratio));
}

function based(sampler: string, root: Sampler): Sampler {
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

/** What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say counts more than what is known here. */
function resourceOf({ role, release }: Origin) {
  const host = hostname();
  return defaultResource()
    .merge(
      resourceFromAttributes({
        'service.name': `tasuki-${role}`,
        'service.version': release,
        // Releases share the pod's host name, and each container counts its processes from 1.
        'service.instance.id': `${host}/${release}/${process.pid}`,
        'host.name': host,
        'process.pid': process.pid,
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }));
}

/** Says once that spans are lost, and once that they are sent again. */
function telling(exporter: SpanExporter, log: Logger): SpanExporter {
  let lost = false;
  const tell = ({ code, error }: ExportResult): void => {
    const fails = code !== ExportResultCode.SUCCESS;
    if (fails && !lost) log.warn({ reason: error?.message }, 'traces are not taken: they are dropped');
    if (!fails && lost) log.info('traces are taken again');
    lost = fails;
  };
  return {
    export: (spans: ReadableSpan[], done) => {
      exporter.export(spans, (result) => {
        tell(result);
        done(result);
      });
    },
    forceFlush: async () => await exporter.forceFlush?.(),
    shutdown: async () => await exporter.shutdown(),
  };
}
