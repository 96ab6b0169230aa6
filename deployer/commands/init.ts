import { basename, dirname, join } from 'node:path';
import { findComposeFiles } from '../compose-files.ts';
import { loadConfig, projectName, readCompose, readEnv, type ComposeFile } from '../config.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import type { Values } from '../fill-in.ts';
import { proxyFiles, put, standingOf, type Wanted } from '../init/files.ts';
import { nextSteps } from '../init/next.ts';
import { lookAt, type Asked } from '../init/survey.ts';
import { overrideText } from '../init/text.ts';
import { oldCompose } from '../init/tools.ts';
import type { Globals } from '../run.ts';
import { setInEnvFile } from '../store/env-file.ts';

/** Where Compose looks by itself after the first file, and where what cannot stand there goes. */
const ASIDE = 'compose.tasuki.yaml';

/** The project as it is before anything is written. */
interface Project {
  folder: string;
  files: string[];
  documents: ComposeFile[];
  values: Values;
}

/**
 * `deploy init`: writes what an existing Compose project lacks to be deployed without losing a request: a file that Compose
 * reads after the user's own, and the proxy's configuration. Changes no file that is there but `.env`, and that only where Compose would
 * not find the new file by itself. Throws one error with all that is in the way (exit 78).
 */
export async function init(globals: Globals, asked: Asked): Promise<ExitCode> {
  const project = await find(globals);
  const proxy = await proxyFiles();
  if (project.documents.some((one) => one['x-deploy'] !== undefined))
    return await again(globals, project, proxy);

  const { folder, files, documents, values } = project;
  const merged = documents.findLast(({ name }) => name !== undefined)?.name;
  const name = globals.project ?? (values.COMPOSE_PROJECT_NAME || projectName(merged, folder, values));
  const { survey, notes, problems } = lookAt(documents, asked, { project: name, values });
  const { path, variables } = placeOf(project);
  const base = files.map((file) => basename(file)).join(', ');
  const wanted = survey ? [...proxy, { path, text: overrideText(survey, base), isScript: false }] : proxy;
  const standing = await Promise.all(wanted.map(async (one) => await standingOf(folder, one)));
  for (const [at, one] of wanted.entries())
    if (standing[at] === 'different')
      problems.push(`${one.path} is there already, and is something else: move it, or rename it`);
  if (globals.env.COMPOSE_FILE)
    problems.push('COMPOSE_FILE is set in your shell: write it to .env in place of that, and unset it');
  const old = await oldCompose();
  if (old) problems.push(old);
  if (problems.length || !survey) throw refused(files, problems);

  const absent = wanted.filter((_, at) => standing[at] === 'absent');
  if (!globals.dryRun) {
    // The Compose file last: killed before it, nothing has changed for Compose.
    for (const one of absent) await put(folder, one); // oxlint-disable-line no-await-in-loop
    if (variables) await setInEnvFile(join(folder, '.env'), variables);
    await loadConfig(globals);
  }
  const written = [...absent.map((one) => one.path), ...(variables ? ['.env'] : [])];
  if (globals.json) {
    const said = { project: name, service: survey.service, dryRun: globals.dryRun, written, notes };
    globals.print(JSON.stringify({ v: 1, type: 'init', ...said }));
    return EXIT.done;
  }
  const text = wanted.at(-1)?.text ?? '';
  for (const line of await nextSteps({
    folder,
    path,
    text,
    variables,
    written,
    notes,
    survey,
    dryRun: globals.dryRun,
  }))
    globals.print(line);
  return EXIT.done;
}

async function find({ files: named, cwd, env }: Globals): Promise<Project> {
  if (named.length)
    throw new DeployError({
      code: 'USAGE',
      exit: EXIT.usage,
      what: 'init works on the files that Compose finds by itself, so that every later command needs no -f',
      next: `write to .env: COMPOSE_FILE=${named.join(':')}   and again: deploy init`,
    });
  const all = { ...(await readEnv(join(cwd, '.env'))), ...env };
  const files = await findComposeFiles([], cwd, all);
  const folder = dirname(files[0] ?? cwd);
  const documents = await Promise.all(files.map((file) => readCompose(file)));
  return { folder, files, documents, values: { ...(await readEnv(join(folder, '.env'))), ...env } };
}

/** Where the new file goes; where Compose would not look there by itself, with what must stand in `.env`. */
function placeOf({ files, folder, values }: Project): {
  path: string;
  variables: Record<string, string> | null;
} {
  const [first = ''] = files;
  const override = basename(first).replace(/(\.ya?ml)$/, '.override$1');
  if (files.length === 1 && !values.COMPOSE_FILE) return { path: override, variables: null };
  const separator = values.COMPOSE_PATH_SEPARATOR || ':';
  const names = values.COMPOSE_FILE || files.map((file) => basename(file)).join(separator);
  return {
    path: ASIDE,
    variables: {
      COMPOSE_FILE: `${names}${separator}${dirname(first) === folder ? ASIDE : join(folder, ASIDE)}`,
    },
  };
}

/** It has been done: says what differs from what this version would write, and puts back what is missing. */
async function again(globals: Globals, { folder, files }: Project, proxy: Wanted[]): Promise<ExitCode> {
  const { settings, project } = await loadConfig(globals);
  const standing = await Promise.all(proxy.map(async (one) => await standingOf(folder, one)));
  const absent = proxy.filter((_, at) => standing[at] === 'absent');
  const different = proxy.filter((_, at) => standing[at] === 'different').map((one) => one.path);
  if (!globals.dryRun) for (const one of absent) await put(folder, one); // oxlint-disable-line no-await-in-loop
  const written = absent.map((one) => one.path);
  if (globals.json) {
    const said = {
      project,
      service: settings.service,
      dryRun: globals.dryRun,
      written,
      different,
      notes: [],
    };
    globals.print(JSON.stringify({ v: 1, type: 'init', ...said }));
    return EXIT.done;
  }
  const names = files.map((file) => basename(file)).join(', ');
  globals.print(`done already: ${names} has x-deploy, for service "${settings.service}"`);
  if (written.length) globals.print(`${globals.dryRun ? 'would be' : 'was'} put back: ${written.join(', ')}`);
  if (different.length)
    globals.print(
      `left as it is, though this version of tasuki has it otherwise: ${different.join(', ')}   (to have that: delete it, and deploy init)`,
    );
  globals.print('next: deploy doctor   looks whether all is well');
  return EXIT.done;
}

function refused(files: string[], problems: string[]): DeployError {
  const [only] = problems;
  return new DeployError({
    code: 'CANNOT_INIT',
    exit: EXIT.config,
    what:
      problems.length === 1
        ? `nothing was written: ${only}`
        : `nothing was written (${problems.length} things are in the way)`,
    subject: files.join(', '),
    next: 'put that right, and again: deploy init',
    evidence: problems.length === 1 ? [] : problems,
  });
}
