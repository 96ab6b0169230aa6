import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { loadConfig } from '../config.ts';
import { maintenanceSince, requirePod } from '../core/observe.ts';
import { MAINTENANCE_DIR } from '../contract.ts';
import { Engine } from '../engine/docker.ts';
import { runInside } from '../engine/inside.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import type { Globals } from '../run.ts';

/** What visitors see when no page is given. */
const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Back soon</title><style>:root{color-scheme:light dark}body{margin:4rem auto;max-width:36rem;padding:0 1.25rem;font:1rem/1.5 system-ui,sans-serif}</style>
<h1>Back soon</h1><p>We are working on this site. Please try again in a few minutes.</p></html>
`;
const MAX_BYTES = 1024 * 1024;

/** `deploy maintenance on|off`, or neither: says which it is. The proxy looks for the page at each request. */
export async function maintenance(
  globals: Globals,
  turn: 'on' | 'off' | undefined,
  file: string | undefined,
): Promise<ExitCode> {
  const config = await loadConfig(globals);
  const engine = new Engine();
  const { id: pod } = await requirePod(engine, config);
  if (turn === 'on') {
    const page = file === undefined ? PAGE : await readPage(resolve(globals.cwd, file));
    // Renamed into place: a visitor sees all of it or none.
    const put = `mkdir -p ${MAINTENANCE_DIR} && cd ${MAINTENANCE_DIR} && cat > page.new && chmod 644 page.new && mv page.new page.html`;
    await runInside(engine, pod, ['sh', '-euc', put], page);
  }
  if (turn === 'off') await runInside(engine, pod, ['rm', '-f', `${MAINTENANCE_DIR}/page.html`]);
  const since = await maintenanceSince(engine, pod);
  if (globals.json) globals.print(JSON.stringify({ v: 1, type: 'maintenance', on: since !== null, since }));
  else
    globals.print(
      since === null
        ? 'maintenance is off: visitors reach the app'
        : `maintenance is on since ${since}: visitors get 503; next: deploy maintenance off`,
    );
  return EXIT.done;
}

async function readPage(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refused(`the page cannot be read: ${error.message}`, path);
  });
  if (text.trim() === '') throw refused('the page is empty', path);
  if (Buffer.byteLength(text) > MAX_BYTES) throw refused('the page is larger than 1 MiB', path);
  return text;
}

function refused(what: string, subject: string): DeployError {
  const next = 'name a file of HTML: deploy maintenance on --page down.html';
  return new DeployError({ code: 'BAD_PAGE', exit: EXIT.usage, what, subject, next });
}
