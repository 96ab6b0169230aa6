import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { docker, eventually } from './containers.ts';
import { compareIds } from './ledger.ts';
import type { Load, LoadReport, StartOptions } from './load/index.ts';
import { Project, type ProjectOptions } from './project.ts';
import { STEADY, underLoad, type LoadResult } from './under-load.ts';

/** Projects whose image knows nothing of tasuki: test/fixtures/foreign. */

const FIXTURES = fileURLToPath(new URL('../fixtures/foreign', import.meta.url));
/** Debian's packages are fetched once; Go's are the most. */
const BUILD_MS = 600_000;

export const FOREIGN = ['gunicorn', 'uwsgi', 'go', 'python', 'nginx'] as const;
export type Foreign = (typeof FOREIGN)[number];

/** Builds a release of a fixture; gives the image's name. `fault`: what is wrong with it (Go only, see its main.go). */
export async function buildForeign(kind: Foreign, version: string, fault = ''): Promise<string> {
  const tag = `tasuki-test:foreign-${kind}-${version}`;
  const args = [`VERSION=${version}`, ...(fault ? [`FAULT=${fault}`] : [])];
  const words = args.flatMap((arg) => ['--build-arg', arg]);
  const file = join(FIXTURES, kind, 'Dockerfile');
  await docker(['build', '-q', '-t', tag, '-f', file, ...words, FIXTURES], BUILD_MS);
  return tag;
}

/** Brings a stack up whose app is such an image, and waits for its first answer. */
export async function foreignUp(image: string, options: ProjectOptions = {}): Promise<Project> {
  const text = await readFile(join(FIXTURES, 'compose.yaml'), 'utf8');
  const { edit = (same: string) => same, ...rest } = options;
  const project = await Project.up(image, { ...rest, edit: () => edit(text) });
  try {
    await eventually('the app answers', async () => (await answer(project)).status === 200, 30_000);
  } catch (error) {
    await project[Symbol.asyncDispose]();
    throw error;
  }
  return project;
}

/** What a visitor gets at a path, with the release that the proxy names. */
export async function answer(
  project: Project,
  path = '/',
  headers: Record<string, string> = {},
): Promise<{ status: number; release: string | null; text: string }> {
  // One that is kept stays with the worker that it came to, which goes by the list of then.
  const timeouts = { headersTimeout: 5000, bodyTimeout: 5000 };
  const {
    statusCode,
    headers: got,
    body,
  } = await request(new URL(path, project.url), {
    headers,
    reset: true,
    ...timeouts,
  });
  const release = got['x-release'];
  return {
    status: statusCode,
    release: typeof release === 'string' ? release : null,
    text: await body.text(),
  };
}

/** The version that is written on the page that visitors get. */
export async function versionSeen(project: Project): Promise<string> {
  return /<p>(.*)<\/p>/.exec((await answer(project)).text)?.[1] ?? '';
}

/** The list that the proxy goes by, as the pod sees it: `release=address …`. */
export async function upstreamList(project: Project): Promise<string> {
  return (await inService(project, 'proxy', ['curl', '-s', 'http://127.0.0.1:8090/upstream'])).trim();
}

/** A command in the one running container of a service. */
export async function inService(project: Project, service: string, command: string[]): Promise<string> {
  const [one] = (await project.containers(service)).filter(({ state }) => state === 'running');
  return await docker(['exec', one?.id ?? '', ...command]);
}

/** The load that a kind of image can answer; half of it on connections of their own. */
function loadOf(kind: Foreign): Partial<StartOptions> {
  if (kind === 'nginx') return { ...STEADY, mix: { home: 1 }, slow: 0 };
  return { ...STEADY, mode: { rate: 150 }, slowMs: 1500 };
}

/** As `underLoad`; the ledger is a file, to which the image has added a line for each update. */
export async function underForeignLoad(
  project: Project,
  kind: Foreign,
  body: (load: Load) => Promise<void>,
  more: Partial<StartOptions> = {},
): Promise<LoadResult> {
  const options = { ...loadOf(kind), ...more };
  return await underLoad(project, options, body, async (report) => {
    return kind === 'nginx' ? null : await compareIds(await linesOf(project), report);
  });
}

async function linesOf(project: Project): Promise<string[]> {
  return (await inService(project, 'pod', ['cat', '/ledger/updates'])).split('\n').filter(Boolean);
}

/** The judged report, and the releases that answered users in it. */
export function releasesSeen(report: LoadReport): string[] {
  return Object.keys(report.byRelease).filter(Boolean);
}
