import type { ContainerInspectInfo } from 'dockerode';
import type { Config } from '../config.ts';
import {
  INITIAL_RELEASE,
  MAINTENANCE_DIR,
  RECORD_FILE,
  RELEASE_VARIABLE,
  RUN_DIR,
  type ReleaseRecord,
} from '../contract.ts';
import { publishedUrl, type Engine, type Instance } from '../engine/docker.ts';
import { writtenAt } from '../engine/inside.ts';
import { DeployError } from '../errors.ts';
import { readEnvFile } from '../store/env-file.ts';

/** One snapshot of what exists. Everything the plan rests on is in here. */
export interface Observed {
  record: ReleaseRecord | null;
  /** Containers of the service, oldest first; hidden, stopped and half-made ones too. */
  instances: Instance[];
  pod: { id: string; imageId: string } | null;
  /** Where the proxy is reached. */
  url: string | null;
  /** The release that `.env` names for `docker compose up`. */
  remembered: string | null;
}

/** Looks at the engine; changes nothing. */
export async function observe(engine: Engine, config: Config): Promise<Observed> {
  const { project, settings } = config;
  const [pod, instances] = await Promise.all([
    findPod(engine, config),
    engine.instances(project, settings.service, INITIAL_RELEASE),
  ]);
  const env = await readEnvFile(config.envFile);
  const running = pod?.State.Running ? pod : null;
  return {
    record: running && (await readRecord(engine, running.Id)),
    instances,
    pod: running && { id: running.Id, imageId: running.Image },
    remembered: env[RELEASE_VARIABLE] || null,
    url: settings.url ?? (running && publishedUrl(running)),
  };
}

/** The pod's container, running or not; null when there is none. */
export async function findPod(engine: Engine, config: Config): Promise<ContainerInspectInfo | null> {
  return await engine.single(config.project, config.settings.pod).catch(async (error: unknown) => {
    await engine.ping(); // says what is wrong with the engine, where it is the engine
    throw error;
  });
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
export async function requirePod(engine: Engine, config: Config): Promise<{ imageId: string; url: URL }> {
  const pod = await findPod(engine, config);
  if (!pod?.State.Running) {
    throw new DeployError({
      code: 'STACK_DOWN',
      what: `the stack is not up: service "${config.settings.pod}" does not run`,
      subject: config.project,
      next: 'docker compose up -d   (or: npm start)',
    });
  }
  const url = config.settings.url ?? publishedUrl(pod);
  if (!url) {
    throw new DeployError({
      code: 'NO_PORT',
      what: `service "${config.settings.pod}" publishes no port, so there is no way to check through the proxy`,
      next: 'publish one (ports: ["8080:80"]) or set x-deploy.url',
    });
  }
  return { imageId: pod.Image, url: new URL(url) };
}
