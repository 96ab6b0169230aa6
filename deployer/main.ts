import { parseCli, type Flags } from './cli.ts';
import { canaryOf } from './canary-flags.ts';
import { DeployError, EXIT, toDeployError, type ExitCode } from './errors.ts';
import { jsonRenderer } from './ui/json.ts';
import { plainRenderer, type Output, type Renderer } from './ui/plain.ts';

/** The one place that reads the environment, catches what is thrown, and decides the exit code. */

const VERSION = '0.1.0';
const output: Output = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

async function chooseRenderer(flags: Flags): Promise<Renderer> {
  if (flags.json) return jsonRenderer(output);
  const live = process.stdout.isTTY && !flags.quiet && !flags.verbose && !process.env.CI;
  if (live) return (await import('./ui/terminal.ts')).terminalRenderer(output, flags);
  return plainRenderer(output, flags);
}

/** What the system refuses for a reason that the user can change: said in words, without a stack trace. */
function foreseen(error: unknown): DeployError | null {
  if (!(error instanceof Error) || error instanceof DeployError) return null;
  const { code = '', syscall, path, message } = error as NodeJS.ErrnoException;
  const engine = process.env.DOCKER_HOST || '/var/run/docker.sock';
  if (message.startsWith('DOCKER_HOST ')) {
    const next = 'correct or unset DOCKER_HOST; its usual value is unix:///var/run/docker.sock';
    return new DeployError({ code: 'BAD_DOCKER_HOST', what: message, subject: engine, next });
  }
  if (syscall === 'connect' || syscall === 'getaddrinfo') {
    const denied = code === 'EACCES' || code === 'EPERM';
    const start = process.env.DOCKER_HOST
      ? 'check DOCKER_HOST, and that the engine there runs'
      : 'start it: systemctl start docker (or: npm start)';
    return new DeployError({
      code: denied ? 'ENGINE_DENIED' : 'ENGINE_UNREACHABLE',
      what: denied ? 'no permission on the Docker engine' : `the Docker engine does not answer (${message})`,
      subject: engine,
      next: denied ? 'run as root, or join the group "docker" and log in again' : start,
    });
  }
  if (!path || !['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST'].includes(code)) return null;
  return new DeployError({
    code: 'FILE_REFUSED',
    what: `the system refuses a file or folder: ${message}`,
    subject: path,
    next:
      code === 'ENOSPC'
        ? 'make room on that disk'
        : 'run as a user who may write there, or set TASUKI_STATE_DIR',
  });
}

// The engine's client calls url.parse() for a DOCKER_HOST: nothing a user of `deploy` can change.
process.noDeprecation = true;

async function main(): Promise<ExitCode> {
  let renderer: Renderer = process.argv.includes('--json')
    ? jsonRenderer(output)
    : plainRenderer(output, { quiet: false, verbose: false });
  let interrupt: (() => void) | null = null;
  let interrupted = false;
  const onSignal = (): void => {
    if (interrupted || !interrupt) process.exit(EXIT.interrupted);
    interrupted = true;
    interrupt();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const cli = await parseCli(process.argv.slice(2), VERSION);
    if (!cli) return EXIT.done;
    const { flags, action } = cli;
    renderer = await chooseRenderer(flags);
    const exit = await action({
      files: flags.file,
      project: flags.projectName,
      cwd: process.cwd(),
      env: process.env,
      timeoutMs: flags.timeout,
      drainTimeoutMs: flags.drainTimeout,
      keepMs: flags.keep,
      forMs: flags.for,
      watchMs: flags.watch,
      canary: canaryOf(flags),
      park: flags.park ? undefined : false,
      hooks: flags.hooks,
      dryRun: flags.dryRun,
      yes: flags.yes,
      json: flags.json,
      emit: (event) => renderer.emit(event),
      print: output.out,
      onInterrupt: (handler) => (interrupt = handler),
    });
    await renderer.flush();
    return exit;
  } catch (error) {
    const known = foreseen(error) ?? toDeployError(error);
    await renderer.flush();
    renderer.emit({ type: 'error', error: known.details, serving: null });
    return known.exit;
  }
}

/** Resolves when all that was printed has been taken by its reader. */
async function taken(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<void>((resolve) => stream.write('', () => resolve()));
}

// Whoever read along may be gone (`| head`): no reason to stop a deploy in the middle.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

process.exitCode = await main();
await Promise.all([process.stdout, process.stderr].map(taken));
process.exit(); // a connection the engine keeps open must not keep the user waiting
