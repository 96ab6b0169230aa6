import { FOLDERS } from './files.ts';
import type { Survey } from './survey.ts';
import { hasRevision, ignores } from './tools.ts';

/** What `deploy init` has done, or would do. */
interface Done {
  folder: string;
  /** The new Compose file. */
  path: string;
  text: string;
  variables: Record<string, string> | null;
  written: string[];
  notes: string[];
  survey: Survey;
  dryRun: boolean;
}

/** What is said at the end: what was written, what to know, and the commands that come next. */
export async function nextSteps(done: Done): Promise<string[]> {
  const { folder, path, text, variables, written, notes, survey, dryRun } = done;
  const count = written.filter((one) => FOLDERS.some((name) => one.startsWith(name))).length;
  const set = Object.entries(variables ?? {}).map(([name, value]) => `${name}=${value}`);
  const lines = [
    dryRun ? 'would be written (nothing was):' : 'written:',
    `  ${path.padEnd(22)} each of its lines says what it is for`,
    `  ${'proxy/'.padEnd(22)} nginx's service, configuration and start scripts, ${count} files`,
    ...set.map((line) => `  ${'.env'.padEnd(22)} ${line}`),
  ];
  if (dryRun) return [...lines, '', ...text.trimEnd().split('\n')];
  const { service, isBuilt } = survey;
  const [isRepository, isIgnored] = await Promise.all([hasRevision(folder), ignores(folder, '.env')]);
  const repository = isRepository
    ? `${isIgnored ? '' : 'echo .env >> .gitignore && '}git add ${isIgnored ? '' : '.gitignore '}${path} proxy && git commit -m 'Deploy with tasuki'`
    : "git init && git add . && git commit -m 'First'   (.env and node_modules in .gitignore)";
  return [
    ...lines,
    ...(notes.length ? ['know:', ...notes.map((note) => `  - ${note}`)] : []),
    'next:',
    ...(isBuilt ? [`  ${repository}`] : []),
    `  docker compose up -d${isBuilt ? ' --build' : ''}   once: the published port goes from "${service}" to the proxy, some seconds without an answer`,
    `  ${isBuilt ? 'deploy --build' : 'deploy --image NAME:TAG'}   every release from then on`,
    'An Express app can be handed over faster still: serve() of tasuki/handover, docs/contract.md.',
  ];
}
