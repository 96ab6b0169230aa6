import type Docker from 'dockerode';
import { loadConfig, type Config } from '../config.ts';
import { INITIAL_RELEASE, type ReleaseRecord, type State } from '../contract.ts';
import { Sessions } from '../core/sessions.ts';
import { readRecord, recordOf } from '../core/observe.ts';
import { Engine } from '../engine/docker.ts';
import { publishedUrls, type Instance } from '../engine/instance.ts';
import { toDeployError } from '../errors.ts';
import type { Globals } from '../run.ts';
import { lockOwner } from '../store/lock.ts';
import { before, LateError, type Lack, type Need } from './check.ts';
import { readNetns, type Netns } from './netns.ts';

/** What `docker info` says that is looked at here. */
export interface EngineInfo {
  ID: string;
  ServerVersion: string;
  KernelVersion: string;
  DockerRootDir: string;
  SystemTime: string;
  LiveRestoreEnabled: boolean;
  Swarm?: { LocalNodeState?: string };
}

export type Asked = Instance & { state: State | null };

/** Everything the checks look at, gathered once. What could not be had is empty, and `missing` says why. */
export interface Facts {
  globals: Globals;
  missing: Partial<Record<Need, Lack>>;
  /** Valid only where a check needs it: see `missing`. */
  engine: Engine;
  config: Config;
  info: EngineInfo;
  pod: Docker.ContainerInspectInfo;
  /** Milliseconds the engine's clock is ahead of ours, and how exactly that is known. */
  skew: { ms: number; exactMs: number };
  /** Every container of the project. */
  containers: Docker.ContainerInspectInfo[];
  /** Those of the app, with what they answer. */
  instances: Asked[];
  record: ReleaseRecord | null;
  recordProblem: string | null;
  url: string | null;
  tlsUrl: string | null;
  netns: Netns;
  lock: Awaited<ReturnType<typeof lockOwner>>;
}

const ENGINE_TIMEOUT_MS = 5000;
/** Longer than an instance has for its answer. */
const PART_TIMEOUT_MS = 20_000;
const PROJECT_LABEL = 'com.docker.compose.project';

/** Looks at everything, changes nothing, and throws nothing: what is broken is what the doctor was called for. */
export async function gather(globals: Globals): Promise<Facts> {
  const facts = {
    globals,
    missing: {},
    containers: [],
    instances: [],
    record: null,
    recordProblem: null,
    url: null,
    tlsUrl: null,
    lock: null,
    netns: {},
  };
  const known = facts as unknown as Facts;
  await Promise.all([learn(known, 'config', readConfig), learn(known, 'engine', askEngine)]);
  known.missing.pod = known.missing.engine ?? known.missing.config;
  if (!known.missing.pod) await learn(known, 'pod', lookAtProject);
  known.missing.serving = known.missing.pod;
  if (!known.missing.serving && !probeTarget(known)) {
    const why = `no container of "${known.config.settings.service}" runs`;
    known.missing.serving = { why, detail: why, advice: 'docker compose up -d   (and: deploy logs)' };
  }
  known.missing.idle = known.missing.pod;
  if (!known.missing.idle && known.lock?.alive) {
    const why = `a deploy is at work ("${known.lock.owner?.command}" by ${known.lock.owner?.user})`;
    known.missing.idle = { why, detail: why, advice: 'run this again when it has ended' };
  }
  return known;
}

/** The container of the app in whose namespace things are tried out: the serving one, else any that runs. */
export function probeTarget({ instances, record }: Pick<Facts, 'instances' | 'record'>): Asked | null {
  const running = instances.filter((one) => one.running);
  return (
    running.find((one) => one.release === record?.serving && one.state?.phase === 'serving') ??
    running.find((one) => one.release === record?.serving) ??
    running[0] ??
    null
  );
}

async function learn(facts: Facts, need: Need, how: (facts: Facts) => Promise<Lack | void>): Promise<void> {
  try {
    const lack = await before(PART_TIMEOUT_MS, how(facts));
    if (lack) facts.missing[need] = lack;
  } catch (error) {
    const { what, subject, evidence, next, code } = toDeployError(error).details;
    const reasons = code === 'UNEXPECTED' || !evidence?.length ? '' : `: ${evidence.join('; ')}`;
    const detail = `${what}${subject ? ` (${subject})` : ''}${reasons}`;
    facts.missing[need] = { why: what, detail, advice: next };
  }
}

async function readConfig(facts: Facts): Promise<void> {
  facts.config = await loadConfig(facts.globals);
}

async function askEngine(facts: Facts): Promise<Lack | void> {
  facts.engine = new Engine();
  try {
    await before(ENGINE_TIMEOUT_MS, facts.engine.ping());
    const asked = Date.now();
    facts.info = (await before(ENGINE_TIMEOUT_MS, facts.engine.docker.info())) as EngineInfo;
    const half = (Date.now() - asked) / 2;
    facts.skew = { ms: Date.parse(facts.info.SystemTime) - asked - half, exactMs: half };
  } catch (error) {
    if (!(error instanceof LateError)) throw error;
    return {
      why: 'the Docker engine hangs',
      detail: `the Docker engine hangs: ${error.message}`,
      advice: 'restart it: systemctl restart docker   (its log: journalctl -u docker)',
    };
  }
}

async function lookAtProject(facts: Facts): Promise<Lack | void> {
  const { engine, config } = facts;
  const { project, settings } = config;
  const label = [`${PROJECT_LABEL}=${project}`];
  const listed = await before(
    ENGINE_TIMEOUT_MS,
    engine.docker.listContainers({ all: true, filters: { label } }),
  );
  const [containers, instances, lock, pod] = await Promise.all([
    Promise.all(listed.map(({ Id }) => engine.inspect(Id))),
    engine.instances(project, settings.service, INITIAL_RELEASE),
    lockOwner(engine, project),
    engine.single(project, settings.pod),
  ]);
  facts.containers = containers.filter((one) => one !== null);
  facts.lock = lock;
  facts.instances = await ask(facts, instances);
  if (!pod?.State.Running) {
    const how = pod ? `is ${pod.State.Status}` : 'does not exist';
    return {
      why: 'the stack is not up',
      detail: `the stack is not up: container "${settings.pod}" of project "${project}" ${how}`,
      advice: 'docker compose up -d   (or: npm start)',
    };
  }
  facts.pod = pod;
  const published = publishedUrls(
    Object.entries(pod.NetworkSettings.Ports ?? {}).flatMap(([port, bindings]) =>
      (bindings ?? []).map((one) => ({ ...one, port: Number.parseInt(port) })),
    ),
  );
  facts.url = settings.url ?? published.url;
  facts.tlsUrl = published.tlsUrl;
  facts.netns = await readNetns(engine, pod.Id).catch(() => ({}));
  await readRecord(engine, pod.Id).then(
    (record) => (facts.record = settings.ctl ? record : recordOf(instances, record)),
    (error: unknown) => (facts.recordProblem = (error as Error).message),
  );
}

async function ask({ engine, config }: Facts, instances: Instance[]): Promise<Asked[]> {
  const sessions = new Sessions(engine, config);
  try {
    return await Promise.all(
      instances.map(async (one) => ({ ...one, state: one.running ? await sessions.stateOf(one.id) : null })),
    );
  } finally {
    await sessions.endAll();
  }
}
