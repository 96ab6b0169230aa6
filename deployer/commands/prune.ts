import { loadConfig } from '../config.ts';
import { describeStep } from '../core/describe.ts';
import { finish, planFinish } from '../core/finish.ts';
import { observe, requirePod } from '../core/observe.ts';
import type { Step } from '../core/plan.ts';
import { gatherPruneFacts, removeImages, type Pruned } from '../core/prune-images.ts';
import { describeImage, oldImages, type OldImage } from '../core/prune.ts';
import { Engine } from '../engine/docker.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { underLock, type Globals } from '../run.ts';
import { countOf, formatSize } from '../size.ts';
import { readInterruption } from '../store/journal.ts';
import { stateFolder } from '../store/paths.ts';

/**
 * `deploy prune`: finishes what a killed run left, which removes containers that neither serve nor are parked, then
 * removes images of old releases, whatever `x-deploy.prune` says. `keep`: how many of the last stay.
 */
export async function prune(globals: Globals, keep?: number): Promise<ExitCode> {
  const config = await loadConfig(globals);
  const engine = new Engine();
  const pod = await requirePod(engine, config);
  const folder = await stateFolder(globals.env, config.project);
  const where = { engine, config, folder };
  const count = keep ?? config.settings['keep-images'];
  if (globals.dryRun) {
    const [observed, interruption] = await Promise.all([observe(engine, config), readInterruption(folder)]);
    const tidy = planFinish(observed, config, interruption !== null);
    const images = oldImages(await gatherPruneFacts(where, targets(tidy)), count);
    globals.print(
      globals.json ? JSON.stringify({ v: 1, type: 'plan', tidy, images }) : describePrune(tidy, images),
    );
    return EXIT.done;
  }
  const interrupt = new AbortController();
  globals.onInterrupt(() => interrupt.abort());
  return await underLock(globals, { engine, config, pod, command: 'deploy prune' }, async () => {
    const tidy = await finish(globals, { ...where, url: pod.url }, interrupt.signal);
    const images = oldImages(await gatherPruneFacts(where), count);
    const pruned = images.length
      ? await removeImages(engine, images, globals.emit, interrupt.signal)
      : { removed: [], left: [], freed: 0 };
    const containers = removals(tidy);
    if (globals.json) globals.print(JSON.stringify({ v: 1, type: 'pruned', containers, ...pruned }));
    else globals.print(summary(containers, pruned, count));
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.done;
  });
}

/** What `deploy prune --dry-run` prints. */
export function describePrune(tidy: Step[], images: OldImage[]): string {
  const lines = [...tidy.map(describeStep), ...images.map((image) => `remove image ${describeImage(image)}`)];
  return lines.length ? lines.map((line) => `  ${line}`).join('\n') : 'nothing to remove';
}

function targets(tidy: Step[]): string[] {
  return tidy.flatMap((step) => (step.do === 'retire' ? [step.target] : []));
}

/** Names of the containers that tidying removes. */
function removals(tidy: Step[]): string[] {
  return tidy.flatMap(({ do: word, id }) => (word === 'retire' ? [id.slice('retire:'.length)] : []));
}

function summary(containers: string[], { removed, freed }: Pruned, keep: number): string {
  if (containers.length + removed.length === 0)
    return `nothing to remove: the images of the last ${countOf(keep, 'release')} stay, and what is in use`;
  const space = freed === null ? '' : `, ${formatSize(freed)} of layers freed`;
  return `removed ${countOf(containers.length, 'container')} and ${countOf(removed.length, 'image')}${space}`;
}
