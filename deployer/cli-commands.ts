import type { Command, Option } from 'commander';
import { usage } from './cli-values.ts';
import type { Shell, Words } from './commands/completion.ts';
import type { ExitCode } from './errors.ts';
import type { Asked } from './init/survey.ts';
import type { Globals } from './run.ts';

/** What a command line asks for. */
export type Action = (globals: Globals) => Promise<ExitCode>;

const SHELLS: Shell[] = ['bash', 'zsh', 'fish', 'releases'];

/** Adds every command but the deploy itself. Each one's code is loaded only when it is asked for. */
export function addCommands(program: Command, choose: (action: Action) => void): void {
  program
    .command('init')
    .option('--service <name>', 'the service that is deployed; default: the only one it can be')
    .option('--port <number>', 'where it listens in its container; default: as it is published')
    .option('--health <path>', 'below 400 when a release is healthy (/)')
    .description('add what a Compose project needs, with a reason for every line')
    .action((own: Asked) => {
      const asked = { ...own, ...program.opts<Pick<Asked, 'service'>>() }; // a deploy has a --service too, and takes it
      choose(async (globals) => (await import('./commands/init.ts')).init(globals, asked));
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
    .command('certificate')
    .argument(
      '[chain]',
      'the certificate and those that signed it, PEM; default: say what visitors are shown',
    )
    .argument('[key]', 'its key, PEM')
    .description('put a certificate for https into service')
    .action((chain: string | undefined, key: string | undefined) => {
      if (chain !== undefined && key === undefined)
        throw usage('certificate takes two files, the chain and the key');
      const files = chain === undefined || key === undefined ? null : { chain, key };
      choose(async (globals) => (await import('./commands/certificate.ts')).certificate(globals, files));
    });
  program
    .command('pause')
    .option('--at-most <number>', 'so many requests wait in each child (500); more get 503')
    .description('let new requests wait (--for, 30s), for what locks the database')
    .action(({ atMost }: { atMost?: string }) => {
      if (atMost !== undefined && !/^[1-9]\d{0,3}$/.test(atMost))
        throw usage(`--at-most takes a number up to 9999, not "${atMost}"`);
      const limit = atMost === undefined ? undefined : Number(atMost);
      choose(async (globals) => (await import('./commands/pause.ts')).pause(globals, globals.forMs, limit));
    });
  program
    .command('resume')
    .description('go on: answer the requests that wait, finish what a killed run left')
    .action(() => choose(async (globals) => (await import('./commands/resume.ts')).resume(globals)));
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
