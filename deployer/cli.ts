import { Command, CommanderError, Option } from 'commander';
import type { Shell, Words } from './commands/completion.ts';
import { parseDuration } from './duration.ts';
import { DeployError, EXIT, type ExitCode } from './errors.ts';
import type { Globals } from './run.ts';

/** The parts of `Globals` that the command line decides. */
export interface Flags {
  file: string[];
  projectName?: string;
  timeout?: number;
  drainTimeout?: number;
  park: boolean;
  hooks: boolean;
  dryRun: boolean;
  yes: boolean;
  json: boolean;
  quiet: boolean;
  verbose: boolean;
}

const COMMAND_EXAMPLES: Record<string, string[]> = {
  status: [
    'deploy status',
    'deploy status --json | jq .record.serving',
    'deploy -f other/compose.yaml status',
  ],
  rollback: ['deploy rollback', 'deploy rollback 20261121T012301-7f3a', 'deploy rollback --dry-run'],
  history: ['deploy history', 'deploy history 20261121T012301-7f3a', 'deploy history --json | tail -n 1'],
  logs: ['deploy logs --follow', 'deploy logs 20261121T012301-7f3a --tail all'],
  doctor: ['deploy doctor', 'deploy doctor --fix'],
  config: ['deploy config', 'deploy config --json | jq .settings.timeout'],
  completion: [
    'deploy completion bash > /etc/bash_completion.d/deploy',
    'source <(deploy completion bash)',
    'deploy completion fish > ~/.config/fish/completions/deploy.fish',
  ],
  unlock: ['deploy unlock', 'deploy unlock --yes   (also when its owner still runs)'],
};

const SHELLS: Shell[] = ['bash', 'zsh', 'fish', 'releases'];

/** What the engine takes: an optional registry, lower-case path, tag, digest. */
const IMAGE_NAME =
  /^(?:[\w.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

type Action = (globals: Globals) => Promise<ExitCode>;

const EXAMPLES = `
Examples:
  deploy --image app:v2          hand over to an image that is here, or can be pulled
  deploy --build                 build this folder's Dockerfile and hand over to it
  deploy --image app:v2 --dry-run
  deploy rollback                go back to the release before
  deploy status                  what serves, what is parked

Exit codes: 0 done, 1 failed (the old release serves), 2 usage, 3 needs a person, 75 locked,
78 bad configuration, 130 interrupted`;

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
    const { image, build, ...flags } = program.opts<Flags & { image?: string; build?: boolean }>();
    const [first = ''] = program.args;
    if ((image !== undefined || build) && program.commands.some((command) => command.name() === first))
      throw usage(`--image and --build make a deploy, they do not go with "${first}"`);
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
      const { image, build } = program.opts<{ image?: string; build?: boolean }>();
      if (image !== undefined && build)
        throw usage('--image and --build do not go together: give one of them');
      if (image === undefined && !build)
        throw usage('say which image: deploy --image NAME:TAG, or deploy --build');
      if (image !== undefined && !IMAGE_NAME.test(image))
        throw usage(`"${image}" is not an image name such as app:v2 (lower case, tag after a colon)`);
      choose(async (globals) =>
        (await import('./commands/deploy.ts')).deploy(globals, { image, build: build === true }),
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

function examplesOf(command: string): string {
  const examples = COMMAND_EXAMPLES[command]?.map((line) => `  ${line}`).join('\n');
  return `\nExamples:\n${examples}\n\n-f, -p, --json and the other options of \`deploy --help\` go with it.`;
}

/** A word that is no command: most often a typing mistake, or an image without its flag. */
function unknownWord(word: string, program: Command): DeployError {
  if (/[:/]/.test(word))
    return usage(`"${word}" is not a command; to deploy that image: deploy --image ${word}`);
  const names = program.commands.map((command) => command.name()).join(', ');
  return usage(`"${word}" is not a command; there are: ${names}`);
}

function duration(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw usage(`${flag}: "${text}" is not a duration such as 500ms, 30s or 5m`);
  if (ms === 0) throw usage(`${flag} must be more than 0`);
  return ms;
}

function usage(what: string): DeployError {
  return new DeployError({ code: 'USAGE', exit: EXIT.usage, what, next: 'deploy --help' });
}
