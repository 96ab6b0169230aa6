import { normalize } from 'node:path';
import { isMapping, merge, type ComposeFile } from '../config.ts';
import { fillIn, type Values } from '../fill-in.ts';
import type { Service } from '../services.ts';
import { choosePort, chooseService } from './choose.ts';
import { refusals } from './refusals.ts';
import { warnings } from './warnings.ts';

/** What the user says on the command line; the rest is found out. */
export interface Asked {
  service?: string | undefined;
  port?: string | undefined;
  health?: string | undefined;
}

/** A service as its file has it; anything may stand there. */
export type Plain = Service & Record<string, unknown>;

/** All that the new file is made of. */
export interface Survey {
  service: string;
  /** A name that no service of the project has. */
  proxy: string;
  /** The image until the first deploy. */
  image: string;
  /** The port on which the app listens in its container, as the file writes it. */
  port: string;
  /** The places on the machine where its users come, for the proxy. */
  ports: string[];
  health: string;
  isBuilt: boolean;
  /** The service has a name for its container, which goes. */
  hasName: boolean;
  /** Settings that the service lacks. */
  lacks: { init: boolean; restart: boolean; logging: boolean };
  /** It has networks of its own; the project's default one is added. */
  hasNetworks: boolean;
  /** The services whose containers are given all of `.env`, to which each deploy writes. */
  takeEnv: string[];
}

export interface Found {
  /** Why it cannot be done, all at once, each with what to do; then there is no survey. */
  problems: string[];
  survey: Survey | null;
  /** What the user should know. */
  notes: string[];
}

/** Finds out from the Compose files of a project what it needs; reads nothing else. */
export function lookAt(
  documents: ComposeFile[],
  asked: Asked,
  { project, values }: { project: string; values: Values },
): Found {
  const merged = merge(documents);
  const services = (merged.services ?? {}) as Record<string, Plain | null>;
  const portsOf = (name: string): unknown[] =>
    documents.flatMap((one) => {
      const ports = (one.services?.[name] as Plain | null | undefined)?.ports;
      return Array.isArray(ports) ? (ports as unknown[]) : [];
    });
  const chosen = chooseService(services, portsOf, asked.service);
  if ('problem' in chosen) return { problems: [chosen.problem], survey: null, notes: [] };
  const { service } = chosen;
  const app = services[service] ?? {};
  const port = choosePort(service, app, portsOf(service), asked.port);
  const problems = [
    ...('problem' in port ? [port.problem] : []),
    ...refusals(service, services, documents, values),
  ];
  if (asked.health !== undefined && !/^\/[^\s'"#]*$/.test(asked.health))
    problems.push(`--health takes a path that starts with /, not "${asked.health}"`);
  if ('problem' in port || problems.length) return { problems, survey: null, notes: [] };
  const survey: Survey = {
    service,
    proxy: services.proxy === undefined ? 'proxy' : 'tasuki-proxy',
    image: firstImage(app, `${project}-${service}`, values),
    port: port.port,
    ports: port.ports,
    health: asked.health ?? '/',
    isBuilt: app.build !== undefined,
    hasName: app.container_name !== undefined,
    lacks: {
      init: app.init === undefined,
      restart: app.restart === undefined && !hasRestartPolicy(app),
      logging: app.logging === undefined,
    },
    hasNetworks: app.networks !== undefined,
    takeEnv: Object.keys(services).filter((name) => takesEnv(services[name] ?? {})),
  };
  return { problems, survey, notes: [...port.notes, ...warnings(survey, services)] };
}

/** With a tag, which the next release will have another of. */
function firstImage({ image }: Plain, byDefault: string, values: Values): string {
  const name = typeof image === 'string' ? fillIn(image, values) : byDefault;
  return /[:@][^/]*$/.test(name) ? name : `${name}:${typeof image === 'string' ? 'latest' : 'v1'}`;
}

/** In any syntax of `env_file:`. */
function takesEnv({ env_file: files }: Plain): boolean {
  return [files].flat().some((one: unknown) => {
    const path = isMapping(one) ? one.path : one;
    return typeof path === 'string' && normalize(path) === '.env';
  });
}

function hasRestartPolicy({ deploy }: Plain): boolean {
  return isMapping(deploy) && deploy.restart_policy !== undefined;
}
