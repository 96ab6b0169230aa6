import type { LinkResult } from 'linkinator';

/** A link of the site that does not answer, and the page it stands on. */
export interface BrokenLink {
  url: string;
  page: string;
  why: string;
}

/** A page with no end of links must not keep a deploy from its end. */
const MAX_LINKS = 500;
const AT_ONCE = 8;
const TIMEOUT_MS = 10_000;

/**
 * Follows every link, script, style sheet and image from the given pages through the site, with these headers; others'
 * sites are left alone. Answers how many were asked, and those that do not answer with a success.
 */
export async function checkLinks(
  pages: URL[],
  headers: Record<string, string>,
): Promise<{ checked: number; broken: BrokenLink[] }> {
  const { LinkChecker, LinkState } = await import('linkinator'); // most projects never need it
  const origins = new Set(pages.map((page) => page.origin));
  const seen = new Set<string>();
  const skip = (link: string): boolean => {
    if (!URL.canParse(link) || !origins.has(new URL(link).origin)) return true;
    seen.add(link);
    return seen.size > MAX_LINKS;
  };
  const { links } = await new LinkChecker().check({
    path: pages.map(String),
    recurse: true,
    checkCss: true,
    concurrency: AT_ONCE,
    timeout: TIMEOUT_MS,
    headers,
    userAgent: 'tasuki-smoke',
    linksToSkip: (link) => Promise.resolve(skip(link)),
  });
  const asked = links.filter(({ state }) => state !== LinkState.SKIPPED);
  const broken = asked.filter(({ state }) => state === LinkState.BROKEN);
  return { checked: asked.length, broken: broken.map(describe) };
}

function describe({ url, parent, status, failureDetails }: LinkResult): BrokenLink {
  const [detail] = failureDetails ?? [];
  const why = status ? `status ${status}` : detail instanceof Error ? detail.message : 'no answer';
  return { url: pathOf(url), page: parent ? pathOf(parent) : '', why };
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
