import { createInterface } from 'node:readline';
import type { DeployEvent } from '../../deployer/events.ts';
import { eventually } from './containers.ts';
import type { Project, Status } from './project.ts';

const REST_MS = 30_000;

export interface PlanIds {
  tidy: string[];
  /** All of them, in order; the tidying first, the watch last. */
  all: string[];
}

/** What the command would do now, so that a step that is added one day is covered too. */
export async function planOf(project: Project, args: string[]): Promise<PlanIds> {
  const { stdout } = await project.deployOk(...args, '--dry-run', '--json');
  type Steps = { id: string }[];
  const plan = JSON.parse(stdout) as Record<'tidy' | 'reversible' | 'forward' | 'watch', Steps> & {
    pivot: { id: string };
  };
  const ids = (steps: Steps): string[] => steps.map(({ id }) => id);
  const all = [...plan.tidy, ...plan.reversible, plan.pivot, ...plan.forward, ...plan.watch];
  return { tidy: ids(plan.tidy), all: ids(all) };
}

/**
 * Names steps alike in every run: a step about a container is called after its number, `retire 1`, since the container has
 * another name each time. Made anew for each run; asked once for each step, in order.
 */
export function stepNamer(): (id: string) => string {
  let retired = 0;
  return (id) => (id.startsWith('retire:') ? `retire ${++retired}` : id);
}

/** Releases with an instance on the public port. */
export function serving({ instances }: Status): string[] {
  return [...new Set(instances.filter((one) => one.state?.phase === 'serving').map((one) => one.release))];
}

/** Waits until exactly one release serves, the record names it, and nothing moves any more. */
export async function atRest(project: Project): Promise<Status> {
  return await eventually(
    'exactly one release serves, and the record names it',
    async () => {
      const status = await project.status();
      const moving = status.instances.some((one) => ['booting', 'draining'].includes(one.state?.phase ?? ''));
      const releases = serving(status);
      return !moving && releases.length === 1 && releases[0] === status.record?.serving ? status : null;
    },
    REST_MS,
  );
}

/** Calls `seen` with each event of a running `deploy … --json`, until it ends. */
export async function follow(
  deploy: ReturnType<Project['spawnDeploy']>,
  seen: (event: DeployEvent) => void,
): Promise<void> {
  for await (const line of createInterface({ input: deploy.stdout })) seen(JSON.parse(line) as DeployEvent);
}
