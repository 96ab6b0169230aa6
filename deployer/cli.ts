import { Command, CommanderError, Option } from 'commander';
import { addCommands, type Action } from './cli-commands.ts';
import { EXAMPLES, examplesOf } from './cli-help.ts';
import { duration, percents, usage } from './cli-values.ts';
import { parseScale, type AskedScale } from './scale.ts';
import type { DeployError } from './errors.ts';

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
  scale?: AskedScale;
  service?: string;
}

/** What the engine takes: an optional registry, lower-case path, tag, digest. */
const IMAGE_NAME =
  /^(?:[\w.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

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
    const { image, build, hold, smoke, scale, service, ...flags } = program.opts<Flags & Deploy>();
    const [first = ''] = program.args;
    const names = service !== undefined && first !== 'init'; // which has a --service of its own
    const deploys = image !== undefined || build || hold || !smoke || scale || names;
    if (deploys && program.commands.some((command) => command.name() === first))
      throw usage(
        `--image, --build, --hold, --scale, --service and --no-smoke make a deploy, they do not go with "${first}"`,
      );
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
    .option('--build', 'build the image here, tagged by git revision')
    .option('--service <name>', 'proxy: hand over the proxy itself, with its files as they are now')
    .option('--hold', 'stop before the new release meets its users; deploy admit goes on')
    .addOption(
      new Option(
        '--scale <service=number>',
        'how many containers the release has (as many as before)',
      ).argParser(parseScale),
    )
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
      const {
        image,
        build = false,
        hold = false,
        smoke,
        scale,
        service,
        canary,
        steps,
        for: ms,
      } = program.opts<Deploy & Flags>();
      if (image !== undefined && !IMAGE_NAME.test(image))
        throw usage(`"${image}" is not an image name such as app:v2 (lower case, tag after a colon)`);
      if (service !== undefined) {
        if (build || hold || scale || canary || steps || !smoke)
          throw usage('--service proxy takes --image, and nothing else of what is about releases');
        return choose(async (globals) =>
          (await import('./commands/proxy.ts')).handOverProxy(globals, { service, image }),
        );
      }
      if (ms !== undefined && !canary && !steps)
        throw usage('--for says how long a share is compared: give --canary or --steps');
      if (hold && scale)
        throw usage('--hold and --scale do not go together: a release that is held has one container');
      if (image !== undefined && build)
        throw usage('--image and --build do not go together: give one of them');
      if (image === undefined && !build)
        throw usage('say which image: deploy --image NAME:TAG, or deploy --build');
      choose(async (globals) =>
        (await import('./commands/deploy.ts')).deploy(globals, { image, build, hold, smoke, scale }),
      );
    });
  addCommands(program, choose);
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

/** A word that is no command: most often a typing mistake, or an image without its flag. */
function unknownWord(word: string, program: Command): DeployError {
  if (/[:/]/.test(word))
    return usage(`"${word}" is not a command; to deploy that image: deploy --image ${word}`);
  const names = program.commands.map((command) => command.name()).join(', ');
  return usage(`"${word}" is not a command; there are: ${names}`);
}
