import type { Config } from '../config.ts';
import { describeStep } from '../core/describe.ts';
import { finish, planFinish } from '../core/finish.ts';
import { requirePod } from '../core/observe.ts';
import type { Engine } from '../engine/docker.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { open, underLock, type Globals } from '../run.ts';
import { readInterruption } from '../store/journal.ts';
import { lockOwner } from '../store/lock.ts';
import { stateFolder } from '../store/paths.ts';
import { tellServing } from './pause.ts';

/**
 * `deploy resume`: goes on. Requests that wait in a pause are answered, and what a killed run left is finished, without another
 * deploy. While a deploy is at work that part is its own.
 */
export async function resume(globals: Globals): Promise<ExitCode> {
  const { config, engine, observed } = await open(globals);
  if (config.settings.ctl) await tellServing(globals, 'resume', {}); // another image cannot be paused
  const folder = await stateFolder(globals.env, config.project);
  const [lock, interruption] = await Promise.all([
    lockOwner(engine, config.project),
    readInterruption(folder),
  ]);
  const left = lock?.alive ? [] : planFinish(observed, config, interruption !== null);
  const done =
    left.length || (interruption && !lock?.alive)
      ? await finishUnderLock(globals, { config, engine, folder })
      : [];
  if (globals.json) globals.print(JSON.stringify({ v: 1, type: 'resume', paused: false, finished: done }));
  else globals.print(['requests are answered', ...done].join('\n  '));
  return EXIT.done;
}

async function finishUnderLock(
  globals: Globals,
  { config, engine, folder }: { config: Config; engine: Engine; folder: string },
): Promise<string[]> {
  const pod = await requirePod(engine, config);
  const interrupt = new AbortController();
  globals.onInterrupt(() => interrupt.abort());
  return await underLock(globals, { engine, config, pod, command: 'deploy resume' }, async () => {
    const steps = await finish(globals, { engine, config, url: pod.url, folder }, interrupt.signal);
    return steps.map(describeStep);
  });
}
