import { RUN_DIR, type State } from './contract.ts';
import { DeployError, EXIT } from './errors.ts';
import { fillIn, type Values } from './fill-in.ts';
import type { DeploySettings, Strategy } from './schema.ts';
import { isH2o, type ProxyService } from './proxy/service.ts';
import type { Service } from './services.ts';

/** What the strategies ask of a project, and what they cannot do. docs/strategies.md compares them. */

/** The override files that set all that a strategy needs. */
const UNIX_FILE = 'proxy/strategies/unix.yaml';
const UPSTREAM_FILE = 'proxy/strategies/upstream.yaml';
const SOCKET = `unix:${RUN_DIR}/app.sock`;

/** An address as LISTEN and APP_ADDRESS have it. */
export function wordsOf(listen: State['listen']): string {
  return 'path' in listen ? `unix:${listen.path}` : `${listen.host}:${listen.port}`;
}

/** What a Compose file gives the containers of a service under a name: the last word of all files, filled in. */
export function variableOf({ environment }: Service, name: string, values: Values): string | undefined {
  const all = ([environment] as unknown[]).flat(Infinity).flatMap((one): [string, unknown][] => {
    if (typeof one === 'string') return [[/^[^=]*/.exec(one)![0], one.replace(/^[^=]*=?/, '')]];
    return Object.entries((one as Record<string, unknown> | null | undefined) ?? {});
  });
  const value = all.findLast(([key]) => key === name)?.[1];
  return typeof value === 'string' || typeof value === 'number' ? fillIn(String(value), values) : undefined;
}

/** Strategy, the app's address and the proxy's must be of one kind; each problem says what to write. */
export function checkStrategy(
  services: Record<string, Service | null>,
  { service, strategy, ctl }: DeploySettings,
  { values, scale }: { values: Values; scale: number | null },
): string[] {
  const listen = variableOf(services[service] ?? {}, 'LISTEN', values) ?? '';
  const proxies = Object.entries(services).flatMap(([name, one]): [string, string][] => {
    const address = one ? variableOf(one, 'APP_ADDRESS', values) : undefined;
    return address === undefined ? [] : [[name, address]];
  });
  const isSocket = (address: string): boolean => address.startsWith('unix:');
  if (strategy === 'reuseport') {
    const other = `or set x-deploy.strategy: unix (${UNIX_FILE} has all of it)`;
    return [
      ...(listen ? [`services.${service}.environment.LISTEN is ${listen}: remove it, ${other}`] : []),
      ...proxies
        .filter(([, address]) => isSocket(address))
        .map(
          ([name, is]) => `services.${name}.environment.APP_ADDRESS is ${is}: write the app's port, ${other}`,
        ),
    ];
  }
  if (strategy === 'upstream') {
    const need = `with x-deploy.strategy: upstream (${UPSTREAM_FILE} has all of it)`;
    const fits = (address: string): boolean => address.startsWith(`${service}:`) && /:\d+$/.test(address);
    return [
      ...(ctl && listen !== 'own' ? [`services.${service}.environment needs LISTEN: own ${need}`] : []),
      ...(values.PROXY === 'h2o' && scale !== null && scale > 1
        ? [
            `services.${service}.scale is ${scale}, and must be 1 with PROXY=h2o ${need}: h2o sends to one address; more processes: WEB_CONCURRENCY`,
          ]
        : []),
      ...proxies
        .filter(([, address]) => !fits(address))
        .map(
          ([name, is]) =>
            `services.${name}.environment.APP_ADDRESS is ${is}, and must be ${service}: and the port of the image, such as ${service}:3000, with x-deploy.strategy: upstream`,
        ),
    ];
  }
  const all = `with x-deploy.strategy: unix (${UNIX_FILE} has all of it)`;
  const wanted = listen.startsWith(`unix:${RUN_DIR}/`) ? listen : SOCKET;
  return [
    ...(listen === wanted ? [] : [`services.${service}.environment needs LISTEN: ${SOCKET} ${all}`]),
    ...proxies
      .filter(([, address]) => address !== wanted)
      .map(([name, is]) => `services.${name}.environment.APP_ADDRESS is ${is}, and must be ${wanted} ${all}`),
    ...(scale !== null && scale > 1
      ? [
          `services.${service}.scale is ${scale}, and must be 1 with x-deploy.strategy: unix: one container has the socket; more processes: WEB_CONCURRENCY`,
        ]
      : []),
  ];
}

/** Who takes all new connections, or none. */
const WHOLE: Record<'--canary' | '--scale', Strategy[]> = {
  '--canary': ['unix', 'upstream'],
  '--scale': ['unix'],
};

/** Refuses shares of the connections, and several containers, where one socket takes all of them. */
export function requireShares(
  { settings: { strategy }, proxy }: { settings: DeploySettings; proxy: ProxyService | null },
  asked: keyof typeof WHOLE,
): void {
  if (strategy === 'upstream' && asked === '--scale' && proxy && isH2o(proxy.image)) throw oneAddress(asked);
  if (!WHOLE[asked].includes(strategy)) return;
  const what =
    asked === '--scale'
      ? 'one container has the socket that takes all new connections'
      : 'all new connections go to a release, or none';
  throw new DeployError({
    code: 'NO_SHARES',
    exit: EXIT.usage,
    what: `${asked}${asked === '--canary' ? ' (or --steps)' : ''} does not go with x-deploy.strategy: ${strategy}: ${what}`,
    next: `leave ${asked} out, or use x-deploy.strategy: reuseport, which can (docs/strategies.md)`,
  });
}

function oneAddress(asked: string): DeployError {
  return new DeployError({
    code: 'NO_SHARES',
    exit: EXIT.usage,
    what: `${asked} does not go with x-deploy.strategy: upstream and PROXY=h2o: h2o sends to one address`,
    next: `leave ${asked} out, or use nginx, which can (proxy/README.md)`,
  });
}
