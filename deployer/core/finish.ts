import type { Config } from '../config.ts';
import type { Engine } from '../engine/docker.ts';
import { explain, type Globals } from '../run.ts';
import { Journal, readInterruption } from '../store/journal.ts';
import { tidyUp } from './execute.ts';
import { planProxyTidy } from '../proxy/plan.ts';
import { makeContext } from './make-context.ts';
import { observe, servingInstances, type Observed } from './observe.ts';
import { workerSteps, type Step } from './plan.ts';
import { planTidy, scaleNow } from './tidy.ts';

/**
 * What a killed run left to do, for the release that the record names: what is after the switch is finished, what is before it
 * is cleaned up. A release that is held waits for its own orders.
 */
export function planFinish(observed: Observed, { settings, scale }: Config, killed: boolean): Step[] {
  const instances = observed.instances.filter((one) => one.held === null);
  const proxy = planProxyTidy(observed.proxies);
  const tidy = [...proxy, ...planTidy({ ...observed, instances }, scaleNow(observed, scale))];
  const serving = servingInstances(observed).at(-1);
  return killed && serving
    ? [...tidy, ...workerSteps(settings.workers, serving.release, serving.image)]
    : tidy;
}

/** Does it, under the lock, and forgets the killed run. Gives what it did. */
export async function finish(
  globals: Globals,
  { engine, config, url, folder }: { engine: Engine; config: Config; url: URL; folder: string },
  signal: AbortSignal,
): Promise<Step[]> {
  const [observed, interruption] = await Promise.all([observe(engine, config), readInterruption(folder)]);
  if (interruption) globals.emit({ type: 'notice', level: 'info', text: explain(interruption, observed) });
  const state = { config, engine, observed, url, compared: [], revision: '' };
  const context = makeContext(globals, state, globals.emit, signal);
  const tidy = planFinish(observed, config, interruption !== null);
  try {
    await tidyUp({ tidy }, context);
  } finally {
    await context.sessions.endAll();
  }
  if (observed.record) Journal.begin(folder).close(); // nothing of a killed run is left to tell of
  return tidy;
}
