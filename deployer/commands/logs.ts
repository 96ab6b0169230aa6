import { execa } from 'execa';
import { servingInstances } from '../core/observe.ts';
import { DeployError, type ExitCode, EXIT } from '../errors.ts';
import { open, type Globals } from '../run.ts';

/** `deploy logs [release]`: the log of the release that serves, or of another that is still there; `-F` follows. */
export async function logs(
  globals: Globals,
  release: string | undefined,
  follow: boolean,
  tail: string,
): Promise<ExitCode> {
  const { observed } = await open(globals);
  const found = release
    ? observed.instances.filter((one) => one.release === release)
    : servingInstances(observed);
  const one = found.at(-1) ?? (release ? undefined : observed.instances.at(-1));
  if (!one) {
    throw new DeployError({
      code: 'NO_CONTAINER',
      exit: EXIT.usage,
      what: release ? `there is no container of release ${release}` : 'there is no container of the app',
      next: 'deploy status   lists what is there',
    });
  }
  const names = found.filter((other) => other !== one).map(({ name }) => name);
  if (names.length && !globals.json)
    globals.emit({
      type: 'notice',
      level: 'info',
      text: `the log of ${one.name}; its release also has ${names.join(', ')}: docker logs NAME`,
    });
  const args = ['logs', '--tail', tail, ...(follow ? ['--follow'] : []), one.id];
  const { exitCode } = await execa('docker', args, { stdio: 'inherit', reject: false });
  return exitCode === 0 ? EXIT.done : EXIT.failed;
}
