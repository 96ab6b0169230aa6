import { isMapping } from '../config.ts';
import type { Plain, Survey } from './survey.ts';

/** What a person should know before the first deploy. */
export function warnings(
  { service, proxy, port, health, hasName, hasNetworks }: Survey,
  services: Record<string, Plain | null>,
): string[] {
  const app = services[service] ?? {};
  const notes: string[] = [];
  if (health === '/')
    notes.push(
      'a new release is healthy when / answers below 400. Better is a path that says whether the app can really work, database and all: x-deploy.health, or deploy init --health /readyz',
    );
  notes.push(
    "visitors' addresses come in X-Forwarded-For, and https in X-Forwarded-Proto; Express reads both after: app.set('trust proxy', 'uniquelocal')",
  );
  const mounts = mountsOf(app);
  const own = mounts.filter(({ source }) => /^(\.|~|\/)/.test(source));
  const code = own.filter(({ source }) => source.startsWith('.'));
  if (code.length)
    notes.push(
      `${code.map(({ text }) => text).join(', ')}: mounted from this folder. Code that comes this way is the same in every release, whatever was built: take the line out where it is for development`,
    );
  const shared = mounts.filter((one) => !one.isReadOnly && !code.includes(one));
  if (shared.length)
    notes.push(
      `${shared.map(({ text }) => text).join(', ')}: two releases write to it at once during a deploy. Plain files and uploads can take that; a database in a file (SQLite) must be told to wait for locks`,
    );
  const callers = Object.entries(services).filter(
    ([name, one]) => name !== service && names(one ?? {}, service, port),
  );
  if (callers.length)
    notes.push(
      `${callers.map(([name]) => name).join(', ')} knows "${service}" by name. During a deploy that name means both releases, and the proxy does not see these requests: let it ask http://${proxy}`,
    );
  if (hasName)
    notes.push(
      `container_name is taken away, because two releases cannot have it; "docker logs" and the like need the new name, or: docker compose logs ${service}`,
    );
  if (hasNetworks)
    notes.push(`"${service}" gets the project's default network beside its own; the proxy finds it there`);
  if (hasVariable(app, 'RELEASE'))
    notes.push(`RELEASE of services.${service}.environment is set by deploy now, to the id of the release`);
  return notes;
}

interface Mount {
  source: string;
  isReadOnly: boolean;
  text: string;
}

/** Volumes and folders, in either syntax. */
function mountsOf({ volumes }: Plain): Mount[] {
  const entries: unknown[] = [volumes].flat(Infinity);
  return entries.flatMap((entry): Mount[] => {
    if (typeof entry === 'string') {
      const [source = '', target, mode = ''] = entry.split(':');
      return target === undefined
        ? [] // anonymous: each container has its own
        : [{ source, isReadOnly: mode.split(',').includes('ro'), text: entry }];
    }
    if (!isMapping(entry) || typeof entry.source !== 'string') return [];
    const { source, target, read_only: isReadOnly } = entry;
    return [{ source, isReadOnly: isReadOnly === true, text: `${source}:${String(target)}` }];
  });
}

/** Whether a service is told of another as a host, in its variables or on its command line. */
function names({ environment, command }: Plain, service: string, port: string): boolean {
  const text = JSON.stringify([environment, command]);
  return [`//${service}:`, `//${service}/`, `//${service}"`, `@${service}:`, `${service}:${port}`].some(
    (word) => text.includes(word),
  );
}

function hasVariable({ environment }: Plain, name: string): boolean {
  const all: unknown[] = [environment].flat(Infinity);
  return all.some((one) =>
    typeof one === 'string' ? one.split('=')[0] === name : isMapping(one) && name in one,
  );
}
