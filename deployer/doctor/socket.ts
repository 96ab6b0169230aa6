import { posix } from 'node:path';
import type Docker from 'dockerode';
import { fail, ok, type Check, type Verdict } from './check.ts';
import type { Facts } from './facts.ts';

/** What strategy `unix` rests on: the proxy finds the socket of the app under the same name. */

/** Where a container has the folder of the socket from. */
export interface Mounted {
  name: string;
  /** The volume's name or the folder of this machine; null when nothing is mounted there. */
  source: string | null;
}

/** App and proxies must have one volume where the socket is. */
export function judgeSocketVolume(folder: string, apps: Mounted[], proxies: Mounted[]): Verdict {
  if (proxies.length === 0)
    return fail(
      'no running service of the project has APP_ADDRESS: nobody is told of the socket',
      'take proxy/strategies/unix.yaml into COMPOSE_FILE, as docs/strategies.md shows; docker compose up -d',
    );
  const all = [...apps, ...proxies];
  const without = all.filter(({ source }) => source === null).map(({ name }) => name);
  const sources = new Set(all.map(({ source }) => source));
  if (sources.size === 1 && without.length === 0)
    return ok(`app and proxy have one volume on ${folder}, where the socket is (${[...sources].join()})`);
  const found = without.length
    ? `no volume on ${folder} in ${without.join(', ')}`
    : `different volumes on ${folder}: ${all.map(({ name, source }) => `${name} ${source}`).join(', ')}`;
  return fail(
    `${found}: the proxy does not find the socket`,
    `compose.yaml: volumes: ['run:${folder}'] in app and proxy; then: docker compose up -d`,
  );
}

/** The places to look at, by what the running containers were told. */
function volume({ containers, instances }: Facts): Verdict {
  const mine = containers.filter(({ State }) => State.Running);
  const apps = mine.filter(({ Id }) => instances.some(({ id }) => id === Id));
  const proxies = mine.filter((one) => variable(one, 'APP_ADDRESS') !== undefined);
  const socket = variable(apps[0], 'LISTEN') ?? '';
  if (!apps.length || !socket.startsWith('unix:'))
    return fail(
      `strategy is unix, and ${apps[0]?.Name.slice(1) ?? 'the app'} was started without LISTEN: unix:…`,
      'docker compose up -d   (starts app and proxy anew)',
    );
  const folder = posix.dirname(socket.slice('unix:'.length));
  const from = (one: Docker.ContainerInspectInfo): Mounted => {
    const mount = one.Mounts.find(({ Destination }) => Destination === folder);
    return { name: one.Name.slice(1), source: mount?.Name ?? mount?.Source ?? null };
  };
  return judgeSocketVolume(folder, apps.map(from), proxies.map(from));
}

function variable(one: Docker.ContainerInspectInfo | undefined, name: string): string | undefined {
  const found = one?.Config.Env?.find((entry) => entry.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

export const SOCKET_CHECKS: Check[] = [
  {
    id: 'socket',
    title: 'socket of the app',
    strategy: 'unix',
    needs: ['engine', 'config', 'pod', 'serving'],
    run: volume,
  },
];
