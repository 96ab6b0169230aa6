import { Sessions } from '../core/sessions.ts';
import { servingInstances } from '../core/observe.ts';
import { formatDuration } from '../duration.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import { open, type Globals } from '../run.ts';

/** The proxy gives up on a request after 65 s. */
const LONGEST_MS = 50_000;
const USUAL_MS = 30_000;
const USUAL_LIMIT = 500;

/** `deploy pause`: new requests wait, with those that run going on, until `deploy resume` or the end of the time. */
export async function pause(globals: Globals, forMs = USUAL_MS, limit = USUAL_LIMIT): Promise<ExitCode> {
  if (forMs > LONGEST_MS) {
    throw new DeployError({
      code: 'TOO_LONG',
      exit: EXIT.usage,
      what: 'the proxy gives up on requests that wait longer than a minute',
      limit: formatDuration(LONGEST_MS),
      next: 'deploy maintenance on   for what takes longer',
    });
  }
  const {
    config: { settings },
  } = await open(globals);
  if (!settings.ctl) {
    throw new DeployError({
      code: 'CANNOT_PAUSE',
      exit: EXIT.usage,
      what: 'the image cannot let requests wait: it knows nothing of docs/contract.md (x-deploy.ctl: false)',
      subject: settings.service,
      next: 'deploy maintenance on   shows a page meanwhile',
    });
  }
  const children = await tellServing(globals, 'pause', { limit, ms: forMs });
  const most = children * limit;
  if (globals.json) globals.print(JSON.stringify({ v: 1, type: 'pause', on: true, ms: forMs, limit: most }));
  else
    globals.print(
      `new requests wait for ${formatDuration(forMs)} at most, ${most} of them; next: deploy resume`,
    );
  return EXIT.done;
}

/** Tells every instance of the release that serves; gives the number of their children. */
export async function tellServing(globals: Globals, command: string, args: object): Promise<number> {
  const { config, engine, observed } = await open(globals);
  const serving = servingInstances(observed);
  if (serving.length === 0) {
    const next = 'deploy status   shows what there is';
    throw new DeployError({
      code: 'NOTHING_SERVES',
      what: 'no release serves',
      subject: config.project,
      next,
    });
  }
  const sessions = new Sessions(engine, config);
  try {
    const states = await Promise.all(
      serving.map(async ({ id, name }) => await (await sessions.with(id, name)).ask(command, args)),
    );
    return (states as { children: unknown[] }[]).reduce((sum, state) => sum + state.children.length, 0);
  } finally {
    await sessions.endAll();
  }
}
