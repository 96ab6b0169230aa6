import { loadConfig } from '../config.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Globals } from '../run.ts';
import { readReleases } from '../store/history.ts';
import { statePath } from '../store/paths.ts';

/** What the command line knows: its own description of itself, so that the script cannot fall behind. */
export interface Words {
  commands: { name: string; description: string; flags: string[] }[];
  flags: string[];
  /** Flags with a value of their own, which is completed as a file name. */
  valued: string[];
}

/** `releases` is what the scripts themselves ask for. */
export type Shell = 'bash' | 'zsh' | 'fish' | 'releases';

/** Commands whose argument is a release. */
const OF_RELEASES = ['rollback', 'logs', 'history'];
const ASK = 'deploy completion releases 2>/dev/null';

/** `deploy completion bash`: prints the script by which that shell completes the words of `deploy`. */
export async function completion(globals: Globals, shell: Shell, words: Words): Promise<ExitCode> {
  if (shell !== 'releases') {
    globals.print(SCRIPTS[shell](words));
    return EXIT.done;
  }
  const { project } = await loadConfig(globals);
  const history = await readReleases(statePath(globals.env, project));
  const all = history.flatMap(({ release, from }) => [...(from ? [from] : []), release]);
  for (const release of new Set(all.toReversed())) globals.print(release);
  return EXIT.done;
}

const SCRIPTS: Record<Exclude<Shell, 'releases'>, (words: Words) => string> = {
  bash: bashScript,
  // zsh runs it with its own emulation of bash's completion.
  zsh: (words) =>
    `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(words)}`,
  fish: fishScript,
};

function bashScript({ commands, flags, valued }: Words): string {
  const names = [...commands.map(({ name }) => name), 'help'];
  const own = commands.filter((one) => one.flags.length);
  return `_deploy() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command="" words="" i
  case "\${COMP_WORDS[COMP_CWORD - 1]}" in
    ${valued.join('|')}) COMPREPLY=(); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      ${names.join('|')}) command="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  case "$command" in
    "") words="${names.join(' ')}" ;;
    ${OF_RELEASES.join('|')}) [[ $word == -* ]] || words="$(${ASK})" ;;
    completion) words="bash zsh fish" ;;
    help) words="${names.join(' ')}" ;;
  esac
  if [[ $word == -* ]]; then
    words="${flags.join(' ')}"
    case "$command" in
${own.map(({ name, flags: more }) => `      ${name}) words="$words ${more.join(' ')}" ;;`).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _deploy deploy`;
}

function fishScript({ commands, flags, valued }: Words): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const line = (condition: string, rest: string): string =>
    `complete -c deploy -n ${quoted(condition)} ${rest}`;
  const long = (names: string[]): string[] =>
    names.flatMap((name) =>
      name.startsWith('--') ? [`-l ${name.slice(2)}${valued.includes(name) ? ' -rF' : ''}`] : [],
    );
  return [
    'complete -c deploy -f',
    ...commands.map(({ name, description }) =>
      line('__fish_use_subcommand', `-a ${name} -d ${quoted(description)}`),
    ),
    ...long(flags).map((flag) => `complete -c deploy ${flag}`),
    ...commands.flatMap(({ name, flags: own }) =>
      long(own).map((flag) => line(`__fish_seen_subcommand_from ${name}`, flag)),
    ),
    line(`__fish_seen_subcommand_from ${OF_RELEASES.join(' ')}`, `-a '(${ASK})'`),
    line('__fish_seen_subcommand_from completion', "-a 'bash zsh fish'"),
  ].join('\n');
}
