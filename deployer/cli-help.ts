/** What `--help` adds to what commander knows. */

const COMMAND_EXAMPLES: Record<string, string[]> = {
  init: ['deploy init --dry-run', 'deploy init', 'deploy init --service web --port 3000 --health /readyz'],
  status: [
    'deploy status',
    'deploy status --json | jq .record.serving',
    'deploy -f other/compose.yaml status',
  ],
  rollback: ['deploy rollback', 'deploy rollback 20261121T012301-7f3a', 'deploy rollback --dry-run'],
  history: ['deploy history', 'deploy history 20261121T012301-7f3a', 'deploy history --json | tail -n 1'],
  logs: ['deploy logs --follow', 'deploy logs 20261121T012301-7f3a --tail all'],
  doctor: ['deploy doctor', 'deploy doctor --fix'],
  admit: ['deploy admit', 'deploy admit --dry-run'],
  abort: ['deploy abort'],
  pause: ['deploy pause', 'deploy pause --for 20s --at-most 200'],
  resume: ['deploy resume'],
  maintenance: ['deploy maintenance on --page down.html', 'deploy maintenance off', 'deploy maintenance'],
  certificate: [
    'deploy certificate',
    'deploy certificate fullchain.pem privkey.pem',
    'deploy certificate $RENEWED_LINEAGE/fullchain.pem $RENEWED_LINEAGE/privkey.pem   (certbot --deploy-hook)',
  ],
  preview: ['deploy preview', 'xdg-open "$(deploy preview --json | jq -r .link)"'],
  prune: ['deploy prune', 'deploy prune --last 2', 'deploy prune --dry-run'],
  config: ['deploy config', 'deploy config --json | jq .settings.timeout'],
  completion: [
    'deploy completion bash > /etc/bash_completion.d/deploy',
    'source <(deploy completion bash)',
    'deploy completion fish > ~/.config/fish/completions/deploy.fish',
  ],
  unlock: ['deploy unlock', 'deploy unlock --yes   (also when its owner still runs)'],
};

export const EXAMPLES = `
Examples:
  deploy --image app:v2          hand over to an image that is here, or can be pulled
  deploy --build                 build the image here and hand over to it
  deploy --image app:v2 --dry-run
  deploy init                    make a Compose project fit for this
  deploy --image app:v2 --hold   stop when it is healthy; look at it, then: deploy admit, or deploy abort
  deploy --service proxy         hand over the proxy itself: changed templates, variables, or --image nginx:1.31
  deploy rollback                go back to the release before
  deploy status                  what serves, what is parked

Exit codes: 0 done, 1 failed (the old release serves), 2 usage, 3 needs a person, 75 locked,
78 bad configuration, 130 interrupted`;

/** The examples of one command. */
export function examplesOf(command: string): string {
  const examples = COMMAND_EXAMPLES[command]?.map((line) => `  ${line}`).join('\n');
  return `\nExamples:\n${examples}\n\n-f, -p, --json and the other options of \`deploy --help\` go with it.`;
}
