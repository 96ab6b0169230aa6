import { IMAGE_VARIABLE, INITIAL_RELEASE, RELEASE_VARIABLE, RUN_DIR } from './contract.ts';
import type { Scaled } from './scale.ts';
import type { DeploySettings } from './schema.ts';

/** What is read of a service in a Compose file; anything may stand there. */
export interface Service extends Scaled {
  image?: unknown;
  build?: unknown;
  environment?: unknown;
  network_mode?: unknown;
  networks?: unknown;
  ports?: unknown;
  volumes?: unknown;
}

/** The rules a project must meet; each problem says what to write. */
export function checkServices(services: Record<string, Service | null>, settings: DeploySettings): string[] {
  const { service, pod } = settings;
  const app = services[service];
  if (!app) return [`services.${service} is missing (x-deploy.service names it)`];
  if (!services[pod]) return [`services.${pod} is missing (x-deploy.pod names it)`];
  const problems: string[] = [];
  for (const name of [service, ...settings.workers]) {
    const one = services[name];
    if (!one) {
      problems.push(`services.${name} is missing (x-deploy.workers names it)`);
      continue;
    }
    if (!String(one.image).includes(`\${${IMAGE_VARIABLE}`)) {
      problems.push(
        `services.${name}.image must be \${${IMAGE_VARIABLE}:-your-image:tag}, so that a release can set it`,
      );
    }
    if (!JSON.stringify(one.environment ?? '').includes(`\${${RELEASE_VARIABLE}`)) {
      problems.push(`services.${name}.environment needs RELEASE: \${${RELEASE_VARIABLE}:-}`);
    }
  }
  problems.push(...checkNetwork(services, settings));
  for (const [name, { volumes }] of [
    ...(settings.ctl ? ([[service, app]] as const) : []),
    [pod, services[pod]],
  ] as const) {
    if (!JSON.stringify(volumes ?? '').includes(RUN_DIR)) {
      problems.push(
        `services.${name}.volumes needs a volume on ${RUN_DIR}: it holds the record of which release serves`,
      );
    }
  }
  return problems;
}

/** How the app is reached: at the port of the pod, or at an address of its own. */
function checkNetwork(
  services: Record<string, Service | null>,
  { service, pod, proxy, strategy, ctl }: DeploySettings,
): string[] {
  const { network_mode: network, networks } = services[service] ?? {};
  const shared = network === `service:${pod}`;
  const problems: string[] = [];
  if (strategy !== 'upstream') {
    if (!shared)
      problems.push(
        `services.${service}.network_mode must be service:${pod}, so that releases share the port`,
      );
    if (!ctl)
      problems.push(`x-deploy.strategy must be upstream: with ctl: false nothing can be asked of the image`);
    return problems;
  }
  if (shared)
    problems.push(
      `services.${service}.network_mode: take it out: with strategy upstream each release has an address of its own`,
    );
  if (!JSON.stringify(networks ?? '').includes(`\${${RELEASE_VARIABLE}:-${INITIAL_RELEASE}}`))
    problems.push(
      `services.${service}.networks needs default: { aliases: ['\${${RELEASE_VARIABLE}:-${INITIAL_RELEASE}}'] }, by which the proxy finds each release`,
    );
  const environment = JSON.stringify(services[proxy]?.environment ?? '');
  if (!/STRATEGY\W+upstream/.test(environment))
    problems.push(
      `services.${proxy}.environment needs STRATEGY: upstream and APP_ADDRESS: ${service}:3000, with the port of the image (x-deploy.proxy names the service)`,
    );
  return problems;
}
