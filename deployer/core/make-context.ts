import type { Config } from '../config.ts';
import type { Engine } from '../engine/docker.ts';
import type { Instance } from '../engine/instance.ts';
import { Route } from '../engine/route.ts';
import type { Emit } from '../events.ts';
import { performerOf } from '../performer.ts';
import { Probe } from '../probe.ts';
import type { Globals } from '../run.ts';
import { LEAVE_MS } from '../proxy/kind.ts';
import type { Context } from './context.ts';
import { Sessions } from './sessions.ts';
import type { Observed } from './observe.ts';
import { Baseline } from './watch.ts';

/** What a run starts its steps with. `compared`: the instances that a new release will be compared with. */
export function makeContext(
  globals: Globals,
  of: {
    config: Config;
    engine: Engine;
    observed: Observed;
    url: URL;
    compared: Instance[];
    revision: string;
  },
  emit: Emit,
  signal: AbortSignal,
): Context {
  const { config, engine, observed, url, compared, revision } = of;
  const { settings } = config;
  const sessions = new Sessions(engine, config);
  // An exec takes its time: have the conversation with the old instances open before it is needed.
  for (const one of compared) void sessions.with(one.id, one.name);
  return {
    config,
    engine,
    observed,
    sessions,
    route:
      observed.route && observed.pod
        ? new Route(engine, { ...settings, project: config.project, pod: observed.pod.id })
        : null,
    url,
    emit,
    signal,
    probe: new Probe(new URL(settings.probe, url)),
    baseline: new Baseline(sessions, compared),
    timeoutMs: globals.timeoutMs ?? settings.timeout,
    drainTimeoutMs: globals.drainTimeoutMs ?? settings['drain-timeout'],
    leaveMs: Math.min(globals.drainTimeoutMs ?? LEAVE_MS, LEAVE_MS),
    revision,
    performer: performerOf(globals.env),
    env: globals.env,
    failure: null,
    standbySince: 0,
    weights: [],
    next: null,
    others: [],
  };
}
