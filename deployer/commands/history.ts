import { loadConfig } from '../config.ts';
import { formatDuration } from '../duration.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Globals } from '../run.ts';
import { readHistory } from '../store/history.ts';
import { stateFolder } from '../store/paths.ts';
import { probeLine } from '../ui/words.ts';

const SHOWN = 20;

/** `deploy history`: the last deploys and rollbacks made from this machine, newest last. */
export async function history(globals: Globals): Promise<ExitCode> {
  const config = await loadConfig(globals);
  const entries = await readHistory(await stateFolder(globals.env, config.project));
  if (globals.json) {
    for (const entry of entries) globals.print(JSON.stringify(entry));
    return EXIT.done;
  }
  if (entries.length === 0)
    globals.print('nothing has been deployed from this machine yet; next: deploy --build');
  for (const one of entries.slice(-SHOWN)) {
    globals.print(
      `${one.at}  ${one.command.padEnd(8)}  ${one.outcome.padEnd(11)}  ${one.release}  ${one.image}  by ${one.by}`,
    );
    const serving = one.servingMs === null ? '' : `serving after ${formatDuration(one.servingMs)}, `;
    globals.print(
      `    ${serving}done in ${formatDuration(one.ms)}${one.probe ? `; ${probeLine(one.probe)}` : ''}${one.error ? `; ${one.error}` : ''}`,
    );
  }
  return EXIT.done;
}
