import { setTimeout as wait } from 'node:timers/promises';
import { INITIAL_RELEASE } from '../contract.ts';
import { DeployError } from '../errors.ts';
import type { Context } from './context.ts';
import { readRecord } from './observe.ts';
import type { Of } from './plan.ts';

/** One that is stuck at its boot has nobody who would hear it. */
const TELLING_MS = 2000;

/** Ends a container of the service, once no request is with it; says so when it had to be killed. */
export async function retire(
  { target, id, release }: Of<'retire'>,
  context: Context,
): Promise<string | undefined> {
  const { engine, sessions, observed, drainTimeoutMs } = context;
  await requireAnother(release, target, context);
  await sessions.end(target);
  if (context.route && (await engine.inspect(target))?.State.Running)
    if (await context.route.release({ id: target, release }, drainTimeoutMs))
      await tellAlone(target, context);
  const limit = observed.instances.find((one) => one.id === target)?.stopTimeout ?? 10;
  const seconds = Math.min(limit, Math.ceil(drainTimeoutMs / 1000));
  const killed = await engine.remove(target, seconds);
  return killed ? `${id.slice('retire:'.length)} ignored SIGTERM for ${seconds} s and was killed` : undefined;
}

/** The proxy sends it nothing any more, so that it need not linger for who might still come. Untold it does. */
async function tellAlone(id: string, { config, sessions }: Context): Promise<void> {
  if (!config.settings.ctl) return; // knows no such word
  const told = sessions.with(id).then((session) => session.ask('alone'));
  await Promise.race([told.catch(() => {}), wait(TELLING_MS, undefined, { ref: false })]);
  await sessions.end(id);
}

/** Of the release that serves, nothing goes before another container really serves it: one that runs may be crashing in turns. */
async function requireAnother(release: string, target: string, context: Context): Promise<void> {
  const { engine, config, observed, sessions } = context;
  if (release !== observed.record?.serving) return;
  const record = await readRecord(engine, observed.pod?.id ?? '');
  if (record?.serving !== release) return;
  const all = await engine.instances(config.project, config.settings.service, INITIAL_RELEASE);
  const others = all.filter((one) => one.running && one.release === release && one.id !== target);
  const states = await Promise.all(others.map((one) => sessions.stateOf(one.id)));
  if (states.some((state) => state?.phase === 'serving')) return;
  if (!all.find((one) => one.id === target)?.running) return; // it serves nobody
  throw new DeployError({
    code: 'LAST_ONE',
    what: `no other container of ${release}, which serves, answers: this one is not removed`,
    subject: all.find((one) => one.id === target)?.name ?? target.slice(0, 12),
    next: 'deploy status   shows what is wrong with the others; then deploy again',
  });
}
