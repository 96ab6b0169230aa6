import { Command, CommanderError, Option } from 'commander';
import { EXAMPLES, examplesOf } from './cli-help.ts';
import { duration, percents, usage } from './cli-values.ts';
import type { Shell, Words } from './commands/completion.ts';
import { DeployError, type ExitCode } from './errors.ts';
import type { Globals } from './run.ts';

/** The parts of `Globals` that the command line decides. */
export interface Flags {
  file: string[];
  projectName?: string;
  timeout?: number;
  drainTimeout?: number;
  watch?: number;
  keep?: number;
  canary?: number[];
  steps?: number[];
  for?: number;
  park: boolean;
  hooks: boolean;
  dryRun: boolean;
  yes: boolean;
  json: boolean;
  quiet: boolean;
  verbose: boolean;
}

/** What makes a deploy, and goes with no command. */
interface Deploy {
  image?: string;
  build?: boolean;
  hold?: boolean;
  smoke: boolean;
}

const SHELLS: Shell[] = ['bash', 'zsh', 'fish', 'releases'];

/** What the engine takes: an optional registry, lower-case path, tag, digest. */
const IMAGE_NAME =
  /^(?:[\w.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

type Action = (globals: Globals) => Promise<ExitCode>;

/**
 * Reads the command line and returns what to do. Words and flags it does not know are one error each (exit 2); help
 * and version print and return null. Each command's code is loaded only when it is asked for.
 */
export async function parseCli(
  argv: string[],
  version: string,
): Promise<{ flags: Flags; action: Action } | null> {
  let chosen: { flags: Flags; action: Action } | null = null;
  const choose = (action: Action): void => {
    const { image, build, hold, smoke, ...flags } = program.opts<Flags & Deploy>();
    const [first = ''] = program.args;
    const deploys = image !== undefined || build || hold || !smoke;
    if (deploys && program.commands.some((command) => command.name() === first))
      throw usage(`--image, --build, --hold and --no-smoke make a deploy, they do not go with "${first}"`);
    chosen = { flags, action };
  };
  const program = new Command('deploy')
    .description('Replaces the running release of a Compose project without losing a request.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .enablePositionalOptions(false)
    .allowExcessArguments()
    .helpCommand('help [command]', 'this help, or that of a command')
    // Defaults stand in the descriptions: commander's "(default: false)" tells nobody anything.
    .configureHelp({ optionDescription: (option) => option.description })
    .option('--image <name:tag>', 'the image of the next release')
    .option('--build', 'build the Dockerfile here, tagged by git revision')
    .option('--hold', 'stop before the new release meets its users; deploy admit goes on')
    .option('--no-smoke', 'do not ask the new release for its pages before it is admitted')
    .option('-f, --file <file>', 'Compose file; may be given several times', collect, [])
    .option('-p, --project-name <name>', 'Compose project name')
    .addOption(
      new Option('--timeout <time>', 'until the new release must be healthy (60s)').argParser((text) =>
        duration('--timeout', text),
      ),
    )
    .addOption(
      new Option('--drain-timeout <time>', 'until a leaving release must be drained (30s)').argParser(
        (text) => duration('--drain-timeout', text),
      ),
    )
    .addOption(
      new Option(
        '--watch <time>',
        'how long the new release is compared with the old one (5s); 0s: not',
      ).argParser((text) => duration('--watch', text, true)),
    )
    .addOption(
      new Option('--canary <percent>', 'the share of new connections to begin with').argParser(percents),
    )
    .addOption(new Option('--steps <list>', 'shares one after the other, such as 5,25').argParser(percents))
    .addOption(
      new Option('--for <time>', 'how long each share is compared with the old release (60s)').argParser(
        (text) => duration('--for', text),
      ),
    )
    .addOption(
      new Option(
        '--keep <time>',
        'how long the previous release stays warm (until the next deploy)',
      ).argParser((text) => duration('--keep', text)),
    )
    .option('--no-park', 'do not keep the previous release warm')
    .option('--no-hooks', 'do not run the hooks of compose.yaml')
    .option('--dry-run', 'print the plan and change nothing', false)
    .option('-y, --yes', 'answer yes to every question', false)
    .option('--json', 'one JSON object per line', false)
    .option('-q, --quiet', 'only errors and the last two lines', false)
    .option('-v, --verbose', 'every line of every tool', false)
    .addHelpText('after', EXAMPLES)
    .action(() => {
      const [word] = program.args;
      if (word !== undefined) throw unknownWord(word, program);
      const { image, build = false, hold = false, smoke } = program.opts<Deploy>();
      if (image !== undefined && build)
        throw usage('--image and --build do not go together: give one of them');
      if (image === undefined && !build)
        throw usage('say which image: deploy --image NAME:TAG, or deploy --build');
      if (image !== undefined && !IMAGE_NAME.test(image))
        throw usage(`"${image}" is not an image name such as app:v2 (lower case, tag after a colon)`);
      choose(async (globals) =>
        (await import('./commands/deploy.ts')).deploy(globals, { image, build, hold, smoke }),
      );
    });
  program
    .command('status')
    .description('what serves, what is parked, what is left over')
    .action(() => choose(async (globals) => (await import('./commands/status.ts')).status(globals)));
  program
    .command('rollback')
    .argument('[release]', 'default: the release before')
    .description('go back to a release; at once while it is parked')
    .action((release?: string) =>
      choose(async (globals) => (await import('./commands/rollback.ts')).rollback(globals, release)),
    );
  program
    .command('preview')
    .description('how to look at the release that is held')
    .action(() => choose(async (globals) => (await import('./commands/held.ts')).preview(globals)));
  program
    .command('admit')
    .description('go on with the release that is held')
    .action(() => choose(async (globals) => (await import('./commands/held.ts')).admit(globals)));
  program
    .command('abort')
    .description('remove the release that is held')
    .action(() => choose(async (globals) => (await import('./commands/held.ts')).abort(globals)));
  program
    .command('maintenance')
    .argument('[turn]', 'on or off; default: say which it is')
    .option('--page <file>', 'the page that visitors see meanwhile, HTML')
    .description('answer visitors 503 with a page, in place of the app')
    .action((turn: string | undefined, { page }: { page?: string }) => {
      if (turn !== undefined && turn !== 'on' && turn !== 'off')
        throw usage(`maintenance is on or off, not "${turn}"`);
      if (page !== undefined && turn !== 'on') throw usage('--page goes with: deploy maintenance on');
      choose(async (globals) => (await import('./commands/maintenance.ts')).maintenance(globals, turn, page));
    });
  program
    .command('history')
    .argument('[release]', 'default: the last 20 runs; with a release, its runs in full')
    .description('the deploys made from this machine')
    .action((release?: string) =>
      choose(async (globals) => (await import('./commands/history.ts')).history(globals, release)),
    );
  program
    .command('logs')
    .argument('[release]', 'default: the release that serves')
    .option('-F, --follow', 'go on as lines come', false)
    .option('-n, --tail <lines>', 'how many of the last lines, or all (100)', '100')
    .description('the log of a release')
    .action((release: string | undefined, { follow, tail }: { follow: boolean; tail: string }) => {
      if (!/^(\d+|all)$/.test(tail)) throw usage(`--tail takes a number or "all", not "${tail}"`);
      choose(async (globals) => (await import('./commands/logs.ts')).logs(globals, release, follow, tail));
    });
  program
    .command('doctor')
    .option('--fix', 'put right what can be put right safely', false)
    .description('check this machine and the project')
    .action(({ fix }: { fix: boolean }) =>
      choose(async (globals) => (await import('./commands/doctor.ts')).doctor(globals, fix)),
    );
  program
    .command('prune')
    .option('--last <number>', 'of so many releases that served last the images stay (x-deploy.keep-images)')
    .description('remove images of old releases, and containers that killed deploys left')
    .action(({ last }: { last?: string }) => {
      if (last !== undefined && !/^\d{1,6}$/.test(last)) throw usage(`--last takes a number, not "${last}"`);
      const count = last === undefined ? undefined : Number(last);
      choose(async (globals) => (await import('./commands/prune.ts')).prune(globals, count));
    });
  program
    .command('config')
    .description('the settings in effect, and which are defaults')
    .action(() => choose(async (globals) => (await import('./commands/config.ts')).config(globals)));
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print a script that completes these words in your shell')
    .action((given: string) => {
      const shell = SHELLS.find((one) => one === given);
      if (!shell) throw usage(`completion takes bash, zsh or fish, not "${given}"`);
      choose(async (globals) =>
        (await import('./commands/completion.ts')).completion(globals, shell, wordsOf(program)),
      );
    });
  program
    .command('unlock')
    .description('remove the lock of a deploy that is gone')
    .action(() => choose(async (globals) => (await import('./commands/unlock.ts')).unlock(globals)));
  for (const command of program.commands) {
    command
      .exitOverride()
      .allowExcessArguments(false)
      .configureOutput({ writeErr: () => {} })
      .addHelpText('after', examplesOf(command.name()));
  }

  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw usage(error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  }
  return chosen;
}

function collect(value: string, all: string[]): string[] {
  return [...all, value];
}

function wordsOf(program: Command): Words {
  const names = ({ short, long }: Option): string[] => [short, long].filter((name) => name !== undefined);
  const flags = ({ options }: Command): string[] => options.flatMap(names);
  const commands = program.commands.map((one) => {
    return { name: one.name(), description: one.description(), flags: flags(one) };
  });
  const all = [program, ...program.commands].flatMap(({ options }) => options);
  const valued = all.filter(({ required }) => required).flatMap(names);
  return { commands, flags: flags(program), valued };
}

/** A word that is no command: most often a typing mistake, or an image without its flag. */
function unknownWord(word: string, program: Command): DeployError {
  if (/[:/]/.test(word))
    return usage(`"${word}" is not a command; to deploy that image: deploy --image ${word}`);
  const names = program.commands.map((command) => command.name()).join(', ');
  return usage(`"${word}" is not a command; there are: ${names}`);
}
