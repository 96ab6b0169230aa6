import { Sessions } from '../core/sessions.ts';
import { maintenanceSince } from '../core/observe.ts';
import type { Instance } from '../engine/instance.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { shortImage } from '../image.ts';
import { open, type Globals } from '../run.ts';
import { readInterruption } from '../store/journal.ts';
import { lockOwner } from '../store/lock.ts';
import { stateFolder } from '../store/paths.ts';

/** `deploy status`: what serves, what is parked, what is left over. Exit 1 when nothing serves. */
export async function status(globals: Globals): Promise<ExitCode> {
  const { config, engine, observed } = await open(globals);
  const folder = await stateFolder(globals.env, config.project);
  const sessions = new Sessions(engine, config);
  const [instances, lock, interruption, maintenance] = await Promise.all([
    Promise.all(
      observed.instances.map(async (one) => ({
        ...one,
        state: one.running ? await sessions.stateOf(one.id) : null,
      })),
    ),
    lockOwner(engine, config.project),
    readInterruption(folder),
    observed.pod && maintenanceSince(engine, observed.pod.id),
  ]);
  await sessions.endAll();
  const serving = instances.filter((one) => one.state?.phase === 'serving');
  const exit = serving.length ? EXIT.done : EXIT.failed;
  if (globals.json) {
    globals.print(
      JSON.stringify({
        v: 1,
        type: 'status',
        project: config.project,
        ...observed,
        instances,
        lock,
        interruption,
        maintenance,
      }),
    );
    return exit;
  }

  const { print } = globals;
  print(`project ${config.project}${observed.url ? `, ${observed.url}/` : ''}`);
  if (!observed.pod) print('the stack is not up; next: docker compose up -d   (or: npm start)');
  const since = observed.record ? `, since ${observed.record.at}` : '';
  for (const one of instances) {
    const before = observed.record?.known.includes(one.release) === true;
    // The twin of a release that served is a standby instance to itself, and the parked release to its user.
    const standby = before ? 'parked' : one.held ? 'held' : 'standby';
    const phase = one.state?.phase === 'standby' ? standby : (one.state?.phase ?? one.status);
    const isServing = phase === 'serving';
    const until = phase === 'parked' && one.keepUntil ? `, until ${one.keepUntil}` : '';
    print(
      `  ${phase.padEnd(9)} ${one.release}  ${shortImage(one.image)}  ${one.name}${isServing ? since : until}${problem(one)}`,
    );
  }
  if (observed.pod && serving.length === 0) print('nothing serves; next: deploy logs, deploy doctor');
  if (serving.some((one) => one.release !== observed.record?.serving)) {
    print('a release serves that the record does not name: a deploy is at work, or one was killed');
  }
  const proxies = observed.proxies.filter((one) => one.running);
  if (proxies.length > 1) print(`${proxies.length} proxies run; next: deploy resume`);
  if (instances.some((one) => one.held))
    print('a release is held; next: deploy preview, deploy admit or deploy abort');
  if (serving.some((one) => one.state?.paused)) print('paused: new requests wait; next: deploy resume');
  if (maintenance)
    print(`maintenance is on since ${maintenance}: visitors get 503; next: deploy maintenance off`);
  if (lock)
    print(
      lock.alive
        ? `deploying: ${lock.owner?.command} by ${lock.owner?.user} (pid ${lock.owner?.pid})`
        : 'a dead deploy left its lock; the next deploy takes it over',
    );
  if (interruption && !lock?.alive)
    print(
      `the last run (${interruption.command}) was killed; next: deploy resume, or deploy again: both clean up`,
    );
  return exit;
}

function problem(one: Instance & { state: { problem: string | null } | null }): string {
  if (one.state?.problem) return `  (${one.state.problem})`;
  if (one.running && !one.state) return '  (does not answer its control command)';
  return one.running ? '' : `  (exit code ${one.exitCode})`;
}
