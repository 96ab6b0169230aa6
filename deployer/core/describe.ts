import { formatDuration } from '../duration.ts';
import { shortImage } from '../image.ts';
import { describeProxyStep } from '../proxy/plan.ts';
import type { Plan, Step } from './plan.ts';

/** The plan as text, one line for each step; what `--dry-run` prints and what tests compare. */
export function describePlan(plan: Plan): string {
  const line = (step: Step): string => `  ${describeStep(step).padEnd(44)} ${step.cause}`;
  const part = (title: string, steps: Step[]): string[] => (steps.length ? [title, ...steps.map(line)] : []);
  return [
    ...part('tidy up', plan.tidy),
    ...part('undone if anything fails', plan.reversible),
    ...part('the switch', plan.pivot ? [plan.pivot] : []),
    ...part('after it', plan.forward),
    ...part('and back if it does worse', plan.watch),
  ].join('\n');
}

/** A step in a few words. */
export function describeStep(step: Step): string {
  switch (step.do) {
    case 'build':
      return `build image ${step.image}`;
    case 'pull':
      return `pull image ${step.image}`;
    case 'create':
      return `create ${containers(step.count)} of ${shortImage(step.image)}`;
    case 'migrate':
      return 'bring the database to its schema';
    case 'hide':
      return `hide ${step.release} from Compose`;
    case 'start':
      return `start release ${step.release}`;
    case 'standby':
      return 'wait until it is healthy in standby';
    case 'warm-up':
      return `warm it up for at most ${formatDuration(step.ms)}`;
    case 'smoke':
      return 'ask it for its pages through the proxy';
    case 'steady':
      return 'see that it stays up';
    case 'admit':
      return `admit ${step.release}`;
    case 'route':
      return `lead the proxy to ${step.releases[0] ?? 'nobody'}`;
    case 'confirm':
      return 'see it answer through the proxy';
    case 'promote':
      return `promote ${step.release}`;
    case 'join':
      return `see the others of ${step.release} serve`;
    case 'drain':
      return `drain ${step.release}`;
    case 'remember':
      return `write ${shortImage(step.image)} to .env`;
    case 'seat':
      return step.count === 1
        ? `start ${step.release} where Compose sees it`
        : `start ${step.count} of ${step.release} where Compose sees them`;
    case 'park':
      return `park ${step.release}${step.keepMs === null ? '' : ` for ${formatDuration(step.keepMs)}`}`;
    case 'retire':
      return `retire ${step.id.slice('retire:'.length) || step.release}`;
    case 'worker':
      return `put ${step.service} on ${step.release}`;
    case 'weigh':
      return step.percent === null
        ? 'share new connections evenly'
        : `share out ${step.percent} % of new connections`;
    case 'canary':
      return `compare ${step.percent} % with the rest for ${formatDuration(step.ms)}`;
    case 'watch':
      return `watch ${step.release} for ${formatDuration(step.ms)}`;
    case 'hook':
      return `run the hook ${step.hook}`;
    default:
      return describeProxyStep(step);
  }
}

function containers(count: number): string {
  return count === 1 ? 'a container' : `${count} containers`;
}
