import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { engineStep } from './engine.ts';
import { describeError } from './errors.ts';
import { imagesStep } from './images.ts';
import { checkSteps, runSteps } from './progress.ts';
import { appImageStep, describeStack, stackStep } from './stack.ts';
import type { Context } from './step.ts';

const usage = `Usage: npm start [-- --check]

Sets up what tasuki needs on this machine, starts the stack and waits until it serves.

  --check          only say what is there and what would be done; changes nothing
  --only-prepare   stop before the app's image and the stack (for npm test)
  --help           this text

Environment: HTTP_PORT (default 8080), HTTPS_PORT (8443), DEBIAN_MIRROR (only where no image registry answers and the machine is not Debian).
`;

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
async function main(): Promise<number> {
  let flags: { check: boolean; 'only-prepare': boolean; help: boolean };
  try {
    const option = { type: 'boolean', default: false } as const;
    flags = parseArgs({
      options: { check: option, 'only-prepare': option, help: option },
      strict: true,
    }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message.split('. ')[0]}. See npm start -- --help\n`);
    return 2;
  }
  if (flags.help) {
    process.stdout.write(usage);
    return 0;
  }

  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    // Stays registered: execa ends the process on a signal that nobody else listens for. The second one ends it here.
    process.on(name, () => (interrupt.signal.aborted ? process.exit(130) : interrupt.abort(new Error(name))));
  }
  const context: Context = {
    root: dirname(import.meta.dirname),
    env: process.env,
    signal: interrupt.signal,
    everyProxy: flags['only-prepare'],
  };
  const prepare = [engineStep, imagesStep];
  const steps = flags['only-prepare'] ? prepare : [...prepare, appImageStep, stackStep];
  try {
    if (flags.check) {
      await checkSteps(steps, context);
      return 0;
    }
    // A terminal that tells no width (`docker exec -t`) would wrap every letter.
    const live = process.stdout.isTTY && process.stdout.columns >= 40 && process.env['CI'] === undefined;
    await runSteps(steps, context, live);
    if (!flags['only-prepare']) process.stdout.write(await describeStack(context));
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      process.stderr.write('interrupted; start again to go on where it stopped\n');
      return 130;
    }
    process.stderr.write(`\n${describeError(error)}\n`);
    return 1;
  }
}

process.exitCode = await main();
