import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { dump } from 'js-yaml';
import { proxyVariables } from '../../../setup/stand-ins.ts';
import { parseYaml } from '../../../deployer/yaml.ts';

/** The peers of the benchmark: their images, and their place in the stack beside ours. */

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PEERS = join(ROOT, 'test/bench/peers');
const BUILD_MS = 600_000;
/** What the race board needs; the rest of the stack would only take CPU from both sides. */
const OURS = ['pod', 'proxy', 'app', 'mysql', 'redis', 'cache'];

export const APP_IMAGE = 'tasuki-bench:app';
export const LOAD_IMAGE = 'tasuki-bench:load';

/** Who is compared: the service whose network namespace a side's nginx listens in, by the name of the side. */
export const SIDES = {
  tasuki: 'pod',
  flask: 'flask-pod',
  django: 'django-pod',
  'node:http': 'http-pod',
  express: 'express-pod',
} as const;
export type Side = keyof typeof SIDES;

type Service = Record<string, unknown>;
interface Compose {
  services: Record<string, Service>;
}

/** Builds the app as shipped, the peers and the load client; cheap once the engine has them in its cache. */
export async function buildImages(): Promise<void> {
  await build(APP_IMAGE, ROOT);
  for (const target of ['flask', 'django']) await buildPeer(target);
  await buildLoadImage();
}

/** Builds what makes the load. */
export async function buildLoadImage(): Promise<void> {
  await buildPeer('load');
}

async function buildPeer(target: string): Promise<void> {
  await build(`tasuki-bench:${target}`, PEERS, '--network', 'host', '--target', target);
}

/** With this machine's proxy settings and its network: what it reaches, the build reaches. */
export async function build(tag: string, folder: string, ...options: string[]): Promise<void> {
  const variables = proxyVariables(process.env).flatMap((name) => ['--build-arg', name]);
  await execa('docker', ['build', '--quiet', ...options, ...variables, '--tag', tag, folder], {
    timeout: BUILD_MS,
  });
}

/**
 * The text of compose.yaml with only what the race board needs, and every peer added: each in a pod of its own with the
 * same kernel settings, behind the proxy as shipped, with the app's limits.
 */
export function withPeers(composeText: string): string {
  const compose = parseYaml(composeText) as Compose;
  const kept = Object.entries(compose.services).filter(([name]) => OURS.includes(name));
  const services = Object.fromEntries(kept);
  const { app = {} } = services;
  const { environment, volumes, mem_limit: memory, pids_limit: pids, logging } = app;
  const peer = (image: string, more: Service = {}): Service => ({
    image,
    init: true,
    environment,
    volumes,
    mem_limit: memory,
    pids_limit: pids,
    logging,
    ...more,
  });
  const node = (file: string): Service =>
    peer('node:26-trixie-slim', {
      command: ['node', `/srv/peers/${file}`],
      volumes: [`${PEERS}/node:/srv/peers:ro`, `${ROOT}/node_modules:/srv/node_modules:ro`],
    });
  const peers = {
    flask: peer('tasuki-bench:flask'),
    django: peer('tasuki-bench:django'),
    http: node('http.mjs'),
    express: node('express.mjs'),
  };
  for (const [name, service] of Object.entries(peers))
    Object.assign(services, behind(name, service, services));
  return dump({ ...compose, services });
}

/** A pod and a proxy like ours, and the peer behind them. */
function behind(name: string, peer: Service, { pod, proxy }: Compose['services']): Compose['services'] {
  const network = `service:${name}-pod`;
  const started = { [`${name}-pod`]: { condition: 'service_started' } };
  const { sysctls, image, mem_limit: memory, logging } = pod ?? {};
  return {
    [`${name}-pod`]: {
      image,
      init: true,
      sysctls,
      command: ['sleep', 'infinity'],
      mem_limit: memory,
      logging,
    },
    [`${name}-proxy`]: { ...proxy, network_mode: network, depends_on: started },
    [name]: {
      ...peer,
      network_mode: network,
      depends_on: { ...started, mysql: { condition: 'service_healthy' } },
    },
  };
}
