import { PREVIEW_HEADER } from '../engine/foreign.ts';
import { RefusedError } from '../engine/session.ts';
import type { DeployError } from '../errors.ts';
import { checkLinks } from '../smoke/links.ts';
import type { SmokeCheck } from '../smoke/schema.ts';
import { visit, type Answer } from '../smoke/visit.ts';
import { explainRefusal, failedRelease, within, type Context } from './context.ts';
import type { Of } from './plan.ts';
import { whyItCrashes } from './steady.ts';

/** Asked when compose.yaml names no pages: whatever it answers, it must not be an error of the server. */
const HOME = '/';
const SERVER_ERROR = 500;
const MAX_BROKEN = 10;
const LINKS_TIMEOUT_MS = 120_000;
const CORRECT = 'correct the release; deploy --hold keeps it where you can look at it';

/** Opens the preview of the standby release, and asks it through the proxy for what compose.yaml expects of it. */
export async function smoke({ release, token }: Of<'smoke'>, context: Context): Promise<string> {
  const { smoke: pages, links } = context.config.settings;
  const expected = pages !== undefined || links.length > 0;
  const headers = { [PREVIEW_HEADER]: token };
  const unable = (await openPreview(token, context)) ?? (await leadsElsewhere(release, headers, context));
  if (unable) {
    if (!expected) return `left out: ${unable}`;
    const next =
      'compose.yaml and proxy/ of this version know previews; docs/checks.md says what an image must do';
    throw await failedRelease(context, { code: 'NO_PREVIEW', what: `no smoke test: ${unable}`, next });
  }
  for (const check of pages ?? []) await expect(check, headers, context);
  const count = links.length ? await followLinks(links, headers, context) : 0;
  const asked = pages?.length ? `${pages.length} as expected` : `${HOME} answers`;
  return `${asked}${count ? `, ${count} links answer` : ''}`;
}

/** Null when it is open; else why it cannot be. */
async function openPreview(token: string, context: Context): Promise<string | null> {
  const { sessions, next } = context;
  const session = await sessions.with(next?.id ?? '', next?.name);
  try {
    await session.ask('preview', { token });
    return null;
  } catch (error) {
    if (error instanceof RefusedError && error.code === 'UNKNOWN_COMMAND')
      return 'the image does not know previews (docs/contract.md)';
    throw await explainRefusal(context, error, next?.name ?? '');
  }
}

/** Asks for the home page: whether the proxy leads to the release, which must not fail there. */
async function leadsElsewhere(
  release: string,
  headers: Record<string, string>,
  context: Context,
): Promise<string | null> {
  const answer = await ask({ path: HOME }, headers, context);
  if (answer.release !== release)
    return answer.release
      ? `the proxy knows no previews: ${answer.release} answered`
      : `the proxy did not reach it (status ${answer.status})`;
  if (answer.status >= SERVER_ERROR && !context.config.settings.smoke)
    throw await unexpected(`status ${answer.status}`, HOME, answer, context);
  return null;
}

async function expect(check: SmokeCheck, headers: Record<string, string>, context: Context): Promise<void> {
  const answer = await ask(check, headers, context);
  const { path, status, contains } = check;
  if (status !== undefined ? answer.status !== status : answer.status >= 400) {
    const wanted = status ?? 'below 400';
    throw await unexpected(`status ${answer.status}, expected ${wanted}`, path, answer, context);
  }
  if (contains !== undefined && !answer.body.includes(contains))
    throw await unexpected(`no "${contains}" in it (status ${answer.status})`, path, answer, context);
}

async function ask({ path }: SmokeCheck, headers: Record<string, string>, context: Context): Promise<Answer> {
  context.signal.throwIfAborted();
  return await visit(new URL(path, context.url), headers).catch(async (error: Error) => {
    throw await unexpected(error.message, path, null, context);
  });
}

async function unexpected(
  problem: string,
  path: string,
  answer: Answer | null,
  context: Context,
): Promise<DeployError> {
  const crashes = await whyItCrashes(context);
  if (crashes) return crashes;
  const first = answer?.body.trim().split('\n')[0]?.slice(0, 200);
  return await failedRelease(context, {
    code: 'SMOKE_FAILED',
    what: `the new release did not pass its smoke test through the proxy: ${path}: ${problem}`,
    next: CORRECT,
    evidence: [
      ...(answer?.requestId ? [`request ${answer.requestId}`] : []),
      ...(first ? [`answered: ${first}`] : []),
    ],
  });
}

async function followLinks(
  paths: string[],
  headers: Record<string, string>,
  context: Context,
): Promise<number> {
  const pages = paths.map((path) => new URL(path, context.url));
  const late = (): Error => new Error(`the links were not all checked within ${LINKS_TIMEOUT_MS / 1000} s`);
  const { checked, broken } = await within(context, LINKS_TIMEOUT_MS, checkLinks(pages, headers), late);
  if (broken.length === 0) return checked;
  throw await failedRelease(context, {
    code: 'BROKEN_LINKS',
    what: `${broken.length} of ${checked} links of the new release do not answer`,
    next: CORRECT,
    evidence: broken
      .slice(0, MAX_BROKEN)
      .map(({ url, page, why }) => `${page || '(start)'} -> ${url}: ${why}`),
  });
}
