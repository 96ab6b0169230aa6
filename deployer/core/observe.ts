import type { Config } from '../config.ts';
import {
  INITIAL_RELEASE,
  MAINTENANCE_DIR,
  RECORD_FILE,
  RELEASE_VARIABLE,
  RUN_DIR,
  type ReleaseRecord,
} from '../contract.ts';
import type { Engine } from '../engine/docker.ts';
import type { Instance, Pod } from '../engine/instance.ts';
import { Route } from '../engine/route.ts';
import { writtenAt } from '../engine/inside.ts';
import { DeployError } from '../errors.ts';
import { observeProxies, type Proxy } from '../proxy/observe.ts';
import { readEnvFile } from '../store/env-file.ts';

/** One snapshot of what exists. Everything the plan rests on is in here. */
export interface Observed {
  record: ReleaseRecord | null;
  /** Containers of the service, oldest first; hidden, stopped and half-made ones too. */
  instances: Instance[];
  pod: { id: string; imageId: string } | null;
  /** The releases that the proxy sends to, where each has an address of its own; null where it does not choose. */
  route: string[] | null;
  /** Where the proxy is reached. */
  url: string | null;
  /** The release that `.env` names for `docker compose up`. */
  remembered: string | null;
  /** Containers of the proxy, oldest first. */
  proxies: Proxy[];
}

/** Looks at the engine; changes nothing. */
export async function observe(engine: Engine, config: Config): Promise<Observed> {
  const { project, settings } = config;
  const found = await engine.snapshot(project, settings, INITIAL_RELEASE).catch(explain(engine));
  const pod = found.pod?.running ? found.pod : null;
  const chooses = settings.strategy === 'upstream';
  const [instances, proxies, record, env, route] = await Promise.all([
    found.instances(),
    observeProxies(engine, config),
    pod && readRecord(engine, pod.id),
    readEnvFile(config.envFile),
    pod && chooses ? new Route(engine, { ...settings, project, pod: pod.id }).read() : [],
  ]);
  const served = settings.ctl ? record : recordOf(instances, record);
  return {
    record: served,
    // One that was held and then admitted by a run that was killed keeps the label, and is held no more.
    instances: instances.map((one) => (one.release === served?.serving ? { ...one, held: null } : one)),
    route: chooses ? route : null,
    proxies,
    pod: pod && { id: pod.id, imageId: pod.imageId },
    remembered: env[RELEASE_VARIABLE] || null,
    url: settings.url ?? pod?.url ?? null,
  };
}

/**
 * An image that knows nothing of records writes none: what Compose has started serves. The oldest of it: what is younger was left by
 * a deploy that was killed. The same where the record names a release of which nothing is left.
 */
export function recordOf(instances: Instance[], written: ReleaseRecord | null): ReleaseRecord | null {
  if (instances.some((one) => one.release === written?.serving)) return written;
  const serving = instances.find((one) => one.running && one.visible);
  if (!serving) return written;
  const { release, createdAt: at } = serving;
  return { version: 1, serving: release, known: written ? [written.serving, ...written.known] : [], at };
}

/** The pod's container, running or not; null when there is none. */
export async function findPod(engine: Engine, config: Config): Promise<Pod | null> {
  return await engine.pod(config.project, config.settings.pod).catch(explain(engine));
}

/** Says what is wrong with the engine, where it is the engine. */
function explain(engine: Engine): (error: unknown) => Promise<never> {
  return async (error) => {
    await engine.ping();
    throw error;
  };
}

/** The record in the run folder, read through the pod; null when no release has served yet. */
export async function readRecord(engine: Engine, podId: string): Promise<ReleaseRecord | null> {
  const text = await engine.readFile(podId, `${RUN_DIR}/${RECORD_FILE}`);
  return text ? (JSON.parse(text) as ReleaseRecord) : null;
}

/** When the maintenance began, ISO 8601; null when there is none. */
export async function maintenanceSince(engine: Engine, podId: string): Promise<string | null> {
  return await writtenAt(engine, podId, `${MAINTENANCE_DIR}/page.html`);
}

/** The instances of the release that serves by the record, running ones only. */
export function servingInstances(observed: Observed): Instance[] {
  return observed.instances.filter((one) => one.running && one.release === observed.record?.serving);
}

/** The release before the serving one that is still warm: what an instant rollback would go to. */
export function parkedInstance(observed: Observed): Instance | null {
  for (const release of observed.record?.known ?? []) {
    const found = observed.instances.find((one) => one.running && one.release === release);
    if (found) return found;
  }
  return null;
}

/** The pod and the URL of the proxy, or an error that says how to bring the stack up. */
export async function requirePod(
  engine: Engine,
  config: Config,
): Promise<{ id: string; imageId: string; url: URL; tlsUrl: string | null }> {
  const pod = await findPod(engine, config);
  if (!pod?.running) {
    throw new DeployError({
      code: 'STACK_DOWN',
      what: `the stack is not up: service "${config.settings.pod}" does not run`,
      subject: config.project,
      next: 'docker compose up -d   (or: npm start)',
    });
  }
  const url = config.settings.url ?? pod.url;
  if (!url) {
    throw new DeployError({
      code: 'NO_PORT',
      what: `service "${config.settings.pod}" publishes no port, so there is no way to check through the proxy`,
      next: 'publish one (ports: ["8080:80"]) or set x-deploy.url',
    });
  }
  return { ...pod, url: new URL(url) };
}
