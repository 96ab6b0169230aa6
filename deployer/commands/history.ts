import { loadConfig } from '../config.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import type { Globals } from '../run.ts';
import { readHistory } from '../store/history.ts';
import { readReport } from '../store/report.ts';
import { stateFolder } from '../store/paths.ts';
import { entryLines, fullLines } from '../ui/history-lines.ts';

const SHOWN = 20;

/**
 * `deploy history`: the last deploys and rollbacks made from this machine, newest last; with a release, all runs of it in
 * full. With `--json` a line for each: the entry, or the report of a run that is asked for.
 */
export async function history(globals: Globals, release: string | undefined): Promise<ExitCode> {
  const config = await loadConfig(globals);
  const all = await readHistory(await stateFolder(globals.env, config.project));
  const { print, json } = globals;
  if (release !== undefined) {
    const entries = all.filter((one) => one.release === release);
    if (entries.length === 0) throw unknown(release);
    for (const entry of entries) {
      const report = entry.report === null ? null : await readReport(entry.report); // oxlint-disable-line no-await-in-loop -- one by one, in order
      if (json) print(JSON.stringify(report ?? entry));
      else for (const line of fullLines(entry, report)) print(line);
    }
    return EXIT.done;
  }
  if (!json && all.length === 0)
    print('nothing has been deployed from this machine yet; next: deploy --build');
  for (const entry of json ? all : all.slice(-SHOWN))
    for (const line of json ? [JSON.stringify(entry)] : entryLines(entry)) print(line);
  return EXIT.done;
}

function unknown(release: string): DeployError {
  return new DeployError({
    code: 'UNKNOWN_RELEASE',
    exit: EXIT.usage,
    what: `this machine's history knows no release ${release}`,
    next: 'deploy history   lists those it knows',
  });
}
