import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { provideProxy, type ProxyName } from './proxies.ts';

/** Real containers for integration tests: a Compose project under a name of its own, removed at the end. */

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The image of the app under test, apart from what is deployed on this machine. */
export const APP_IMAGE = 'tasuki-test:app';

const COMMAND_MS = 60_000;
/** MySQL's first start on a slow disk is most of it. */
const UP_MS = 240_000;

export interface Stack {
  project: string;
  /** Where the proxy is published. */
  url: string;
  port: number;
  /** `docker compose <args>` in this project; answers standard output and standard error, as they came. */
  compose(...args: string[]): Promise<string>;
  /** Variables of compose.yaml; what is set here counts from the next `compose` on. */
  env: Record<string, string>;
  /** What the service's container wrote so far. */
  logs(service: string): Promise<string>;
  /** A command in a running container of the service; answers its standard output. */
  exec(service: string, ...command: string[]): Promise<string>;
  /** The id of the service's one container. */
  container(service: string): Promise<string>;
  /** Its address on the project's network, reachable from a Linux host. */
  address(service: string): Promise<string>;
  /** A process of the node image in the pod's namespace, in place of the app; answers its container's name. */
  runInPod(script: string): Promise<string>;
  down(): Promise<void>;
}

export interface StackOptions {
  /** The services to start, with what they depend on; all of them when absent. */
  services?: string[];
  /** Variables of compose.yaml. */
  env?: Record<string, string>;
  /** Which one is in front; nginx when absent. */
  proxy?: ProxyName;
}

/** `docker <args>`, with a deadline. */
export async function docker(args: string[], timeout = COMMAND_MS): Promise<string> {
  const { stdout } = await execa('docker', args, { timeout });
  return stdout;
}

/** Builds the app's image from the working tree; the engine's cache makes the second time cheap. */
export async function buildAppImage(): Promise<void> {
  await execa('docker', ['build', '--quiet', '--tag', APP_IMAGE, ROOT], { timeout: 300_000 });
}

/** Starts services of compose.yaml on a free port and waits until they are healthy. */
export async function startStack({
  services = [],
  env = {},
  proxy = 'nginx',
}: StackOptions = {}): Promise<Stack> {
  await provideProxy(proxy);
  const project = `test-${process.pid}-${randomBytes(3).toString('hex')}`;
  const port = await freePort();
  const variables = {
    TASUKI_IMAGE: APP_IMAGE,
    TASUKI_RELEASE: '',
    PROXY: proxy,
    HTTPS_PORT: '0', // the engine chooses
    ...env,
    HTTP_PORT: String(port),
  };
  const options = { cwd: ROOT, all: true, env: variables } as const;
  const run = async (args: string[], timeout: number): Promise<string> =>
    (await execa('docker', ['compose', '--ansi', 'never', '-p', project, ...args], { ...options, timeout }))
      .all;
  const extra: string[] = [];

  const stack: Stack = {
    project,
    port,
    url: `http://127.0.0.1:${port}`,
    env: variables,
    compose: (...args) => run(args, UP_MS),
    exec: async (service, ...command) => docker(['exec', await stack.container(service), ...command]),
    async logs(service) {
      const id = await stack.container(service);
      return (await execa('docker', ['logs', id], { all: true, timeout: COMMAND_MS })).all;
    },
    container: async (service) => (await run(['ps', '-a', '-q', service], COMMAND_MS)).trim(),
    async address(service) {
      const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
      return docker(['inspect', '--format', format, await stack.container(service)]);
    },
    async runInPod(script) {
      const name = `${project}-fixture-${extra.length}`;
      const pod = await stack.container('pod');
      extra.push(name);
      await docker(
        // prettier-ignore
        ['run', '--detach', '--init', '--name', name, '--user', 'node', '--network', `container:${pod}`,
          'node:26-trixie-slim', 'node', '--input-type=module', '--eval', script],
      );
      return name;
    },
    async down() {
      const mine = await docker(['ps', '-aq', '--filter', `label=com.docker.compose.project=${project}`]);
      const all = [...extra, ...mine.split('\n').filter(Boolean)]; // at once: nothing in them is needed
      await execa('docker', ['rm', '-f', ...all], { timeout: COMMAND_MS, reject: false });
      await run(['down', '--volumes', '--remove-orphans', '--timeout', '5'], UP_MS);
    },
  };

  try {
    await run(['up', '--detach', '--wait', '--no-build', ...services], UP_MS);
  } catch (error) {
    const logs = await run(['logs', '--no-color', '--tail', '30'], COMMAND_MS).catch(() => 'no logs');
    await stack.down().catch(() => {});
    throw new Error(`stack did not start: ${(error as Error).message}\n${logs}`, { cause: error });
  }
  return stack;
}

/** Asks until `ask` answers something that is not null, undefined or false; at the deadline throws the last reason. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  deadlineMs = 15_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  let reason: unknown = 'it did not happen';
  while (performance.now() < end) {
    try {
      const answer = await ask();
      if (answer !== null && answer !== undefined && answer !== false) return answer;
    } catch (error) {
      reason = error;
    }
    await wait(50);
  }
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: reason });
}

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
