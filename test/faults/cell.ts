import type { DeployEvent } from '../../deployer/events.ts';
import type { RequestRecord } from '../support/load/options.ts';
import type { Project } from '../support/project.ts';
import { atRest, follow, stepNamer } from '../support/steps.ts';
import { BRISK, underLoad } from '../support/under-load.ts';
import type { Fault, Scene } from './faults.ts';

/** What became of one fault at one step. */
export interface Cell {
  fault: string;
  step: string;
  /** False: there was nothing to strike at this step. */
  struck: boolean;
  sent: number;
  /** Requests that got no proper answer; those that the app refused for want of its database are counted apart. */
  failed: RequestRecord[];
  failures: number;
  refused: number;
  /** Updates that were done twice, or acknowledged and are not there. */
  wrong: string[];
  /** Kernel counters that moved and should not. */
  kernel: string[];
  /** How the deploy ended: its exit code or the signal. */
  exit: string;
  /** The release that served at rest, before anybody did anything. */
  serves: string;
  /** What the next deploy said of it, and how it ended. */
  next: string;
  /** What the deploy reported, with milliseconds since it began. */
  log: string[];
}

/** An event in a few words; null for those that tell of no step. */
function inWords(event: DeployEvent): string | null {
  if (event.type === 'step')
    return `${event.status} ${event.id}${'detail' in event ? `: ${event.detail}` : ''}`;
  if (event.type === 'notice') return event.text;
  if (event.type === 'error') return `error: ${event.error.what}`;
  return event.type === 'end' ? `end: ${event.outcome}` : null;
}

/** Deploys `image`, strikes when the step begins, waits for rest, and lets the next deploy bring `then`. All of it under load. */
export async function strikeAt(
  project: Project,
  fault: Fault,
  step: string,
  image: string,
  then: string,
): Promise<Cell> {
  let struck = false;
  let exit = '';
  let serves = '';
  let next = '';
  const log: string[] = [];
  const { report, judgement, kernel } = await underLoad(project, BRISK, async (load) => {
    await load.until(({ answered }) => answered > 100, 30_000);
    const old = (await project.status()).record?.serving ?? '';
    let over = false;
    const deploy = project.spawnDeploy(['--image', image, '--watch', '2s', '--json']);
    const scene: Scene = { project, deploy, next: '', old, ended: () => over };
    let striking: Promise<boolean> | null = null;
    const nameOf = stepNamer();
    const began = performance.now();
    await follow(deploy, (event: DeployEvent) => {
      const words = inWords(event);
      if (words) log.push(`${Math.round(performance.now() - began)} ms  ${words}`);
      if (event.type === 'begin') scene.next = event.release;
      if (event.type !== 'step' || event.status !== 'start' || nameOf(event.id) !== step) return;
      striking ??= fault.strike(scene).then(async (done) => {
        log.push(`${Math.round(performance.now() - began)} ms  STRUCK`);
        if (done) await fault.heal?.(scene);
        return done;
      });
    });
    over = true;
    struck = (await (striking as Promise<boolean> | null)) ?? false;
    const { exitCode, signal } = await deploy;
    exit = signal ?? String(exitCode);
    serves = await atRest(project).then(
      ({ record }) => record?.serving ?? 'none',
      (error: Error) => `NOT AT REST: ${error.message}`,
    );
    const { exitCode: code, events, stderr } = await project.deploy('--image', then, '--json');
    const notices = events.flatMap((event) => (event.type === 'notice' ? [event.text] : []));
    next = [...notices, code === 0 ? 'done' : `EXIT ${code}: ${stderr.trim().split('\n')[0]}`].join('; ');
  });
  const refused = report.failures.filter(({ error }) => fault.refuses?.test(error));
  const failed = report.failures.filter(({ error }) => !fault.refuses?.test(error));
  const all = Object.entries(report.byError);
  const count = (counts: (error: string) => boolean): number =>
    all.reduce((sum, [error, n]) => sum + (counts(error) ? n : 0), 0);
  const refusals = fault.refuses ? count((error) => fault.refuses?.test(error) ?? false) : 0;
  return {
    fault: fault.name,
    step,
    struck,
    sent: report.sent,
    failed,
    failures: report.failed - refusals,
    refused: refusals || refused.length,
    wrong: [...judgement.duplicated, ...judgement.missing],
    kernel,
    exit,
    serves,
    next,
    log,
  };
}
