import { parseCli, type Flags } from './cli.ts';
import { EXIT, toDeployError, type ExitCode } from './errors.ts';
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
      park: flags.park ? undefined : false,
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
    const known = toDeployError(error);
    await renderer.flush();
    renderer.emit({ type: 'error', error: known.details, serving: null });
    return known.exit;
  }
}

process.exitCode = await main();
process.exit(); // a connection the engine keeps open must not keep the user waiting
