import type Docker from 'dockerode';
import { type Engine } from './docker.ts';
import { HELD_LABEL, KEEP_VARIABLE, ONE_OFF_LABEL } from './instance.ts';

/** What a twin is made for; at most one of them. */
export interface Purpose {
  /** Waits to be admitted: the token of its preview. */
  held?: string;
  /** Stays warm, and answers in place of the release that serves while that is dead; until a time, or for ever. */
  parked?: { until: Date | null };
  /** Does this once, and nothing else. */
  command?: string[];
  /** Runs beside the others for a moment, with these variables in place of its own. */
  rehearsal?: Record<string, string>;
}

/** What the deployer decides on a twin, and so must not be taken over from the container it is made of. */
const OWN = /^(RELEASE|KEEP_UNTIL|STAND_IN)=/;

/**
 * Makes a twin of a container that Compose does not see: the same in everything but its name, its release variable, what its
 * purpose needs, and the label by which Compose leaves one-off containers alone. Gives its id; it does not run yet.
 */
export async function createTwin(
  engine: Engine,
  of: Docker.ContainerInspectInfo,
  name: string,
  release: string,
  { held, parked, command, rehearsal = {} }: Purpose,
): Promise<string> {
  const until = parked?.until;
  const own = [
    `RELEASE=${release}`,
    ...(parked ? ['STAND_IN=1'] : []),
    ...(until ? [`${KEEP_VARIABLE}=${until.toISOString()}`] : []),
    ...Object.entries(rehearsal).map(([key, value]) => `${key}=${value}`),
  ];
  const once = command !== undefined || Object.keys(rehearsal).length > 0;
  const isOwn = (entry: string): boolean => OWN.test(entry) || (entry.split('=', 1)[0] ?? '') in rehearsal;
  const isTagged = (await engine.imageId(of.Config.Image)) === of.Image;
  const container = await engine.docker.createContainer({
    ...of.Config,
    name,
    Image: isTagged ? of.Config.Image : of.Image, // a tag may have moved on: to the release that is coming
    // The pod owns these; the engine refuses them beside a shared namespace.
    Hostname: '',
    ExposedPorts: {},
    Env: [...(of.Config.Env ?? []).filter((entry) => !isOwn(entry)), ...own],
    Labels: { ...of.Config.Labels, [ONE_OFF_LABEL]: 'True', ...(held && { [HELD_LABEL]: held }) },
    HostConfig: {
      ...of.HostConfig,
      ...(until && { RestartPolicy: { Name: 'on-failure' } }), // it ends by itself, and the engine lets it
      ...(once && { RestartPolicy: { Name: 'no' } }),
    },
    NetworkingConfig: { EndpointsConfig: networksOf(of, once ? null : release) },
    ...(command && { Cmd: command }),
    ...(once && { Healthcheck: { Test: ['NONE'] } }),
  });
  return container.id;
}

/** Its own networks, on which it has the name of its release if `of` has it: not that of the service, where who serves is looked for. */
function networksOf(of: Docker.ContainerInspectInfo, release: string | null): Docker.EndpointsConfig {
  const networks = Object.entries(of.NetworkSettings.Networks ?? {});
  return Object.fromEntries(
    networks.map(([network, { Aliases }]) => {
      const own = ((Aliases ?? []) as string[]).filter((name) => name === release);
      return [network, { Aliases: own }];
    }),
  );
}
