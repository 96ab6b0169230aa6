import { docker, eventually } from './containers.ts';
import type { Project } from './project.ts';
import { serving } from './steps.ts';
import { BRISK, underLoad, type LoadResult } from './under-load.ts';

const BACK_MS = 30_000;

/** Process 1 of the instance that serves, as the host numbers it. */
async function servingProcess(project: Project): Promise<number> {
  const { instances, record } = await project.status();
  const one = instances.find(({ visible, release }) => visible && release === record?.serving);
  return Number(await docker(['inspect', '--format', '{{.State.Pid}}', one?.id ?? '']));
}

/** Kills the whole instance that serves, so many times, under load; each time waits until it serves again. */
export async function killTheServing(project: Project, kills: number): Promise<LoadResult> {
  return await underLoad(project, BRISK, async (load) => {
    for (let n = 0; n < kills; n++) {
      const { answered } = await load.counters();
      await load.until((counters) => counters.answered > answered + 300, BACK_MS);
      process.kill(await servingProcess(project), 'SIGKILL'); // `docker kill` would count as a stop by hand
      const record = (await project.status()).record?.serving ?? '';
      await eventually(
        'it serves again',
        async () => serving(await project.status()).includes(record),
        BACK_MS,
      );
    }
  });
}
