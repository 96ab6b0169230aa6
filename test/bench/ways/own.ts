import { dump } from 'js-yaml';
import { parseYaml } from '../../../deployer/yaml.ts';
import { docker } from '../../support/containers.ts';
import { Project } from '../../support/project.ts';
import { OWN_IMAGE } from './images.ts';
import type { Site, Way } from './way.ts';

interface Compose {
  services: Record<string, Record<string, unknown>>;
  volumes: Record<string, unknown>;
  'x-deploy': object;
}

/** compose.yaml as shipped, with an app that needs no database and sees `dir`. */
function withOwnApp(text: string, dir: string): string {
  const compose = parseYaml(text) as Compose;
  for (const name of ['worker', 'mysql', 'redis', 'cache']) {
    delete compose.services[name];
    delete compose.volumes[name];
  }
  const { app } = compose.services;
  if (!app) throw new Error('compose.yaml has no app');
  app.depends_on = ['pod'];
  app.volumes = [...(app.volumes as string[]), `${dir}:/ways:ro`];
  compose['x-deploy'] = { ctl: ['node', 'handover/ctl.js'], watch: '0s' };
  return dump(compose);
}

/** The whole stack as shipped; `keepAlive` is how many connections nginx keeps to the app. */
async function up(
  dir: string,
  keepAlive: string,
  reload: (project: Project) => Promise<void>,
): Promise<Site> {
  const project = await Project.up(OWN_IMAGE, {
    variables: { UPSTREAM_KEEPALIVE: keepAlive },
    edit: (text) => withOwnApp(text, dir),
  });
  return {
    url: `http://${await project.podAddress()}`,
    reload: async () => await reload(project),
    kernel: async () => await project.kernel(),
    log: async () => await project.compose('logs', '--no-color', '--tail', '40'),
    [Symbol.asyncDispose]: async () => await project[Symbol.asyncDispose](),
  };
}

async function deploy(project: Project): Promise<void> {
  await project.deployOk('--image', OWN_IMAGE);
}

/** Asks each instance that serves to replace its children one by one. */
async function hangUp(project: Project): Promise<void> {
  const running = (await project.containers()).filter(({ state }) => state === 'running');
  await docker(['kill', '--signal', 'HUP', ...running.map(({ id }) => id)]);
}

export const OWN_WAYS: Way[] = [
  { name: 'tasuki', title: '**tasuki**: `deploy`, as shipped', up: ({ dir }) => up(dir, '64', deploy) },
  {
    name: 'tasuki-fresh',
    title: '**tasuki**: `deploy`, a connection to the app per request',
    up: ({ dir }) => up(dir, '0', deploy),
  },
  {
    name: 'tasuki-hup',
    title: '**tasuki**: chain of children, SIGHUP to the instance',
    up: ({ dir }) => up(dir, '64', hangUp),
  },
];
