import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';
import type { Update } from '../db/updates.ts';
import { html, Html } from './html.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d1d24; --paper: #fcfbf8; --line: #ddd8cc; --soft: #6d6a63; --sash: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #ecebe6; --paper: #17171b; --line: #34333a; --soft: #9b988f; --sash: #ff7a6e } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 44rem; padding: 2rem 1.25rem; color: var(--ink); background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; border-top: .4rem solid var(--sash) }
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -.02em } h1 small { font-size: 1rem; font-weight: 400; color: var(--soft) }
p, footer { color: var(--soft) } code { font-size: .9em; overflow-wrap: anywhere }
form { display: flex; gap: .5rem; margin: 1.5rem 0 }
input { flex: 1; min-width: 0 } input, button { padding: .6rem .8rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem }
button { color: var(--paper); background: var(--sash); border-color: var(--sash); cursor: pointer }
:focus-visible { outline: 2px solid var(--sash); outline-offset: 2px }
ol { margin: 0; padding: 0; list-style: none } li { padding: .7rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere }
li small { display: block; color: var(--soft) }
footer { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem }
`;

// Made here and not in the template below: the hash in the policy is of exactly what stands between the tags.
const STYLE_TAG = new Html(`<style>${STYLE}</style>`);

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface Home {
  release: string;
  updates: Update[];
  count: number;
  views: number | null;
}

/** The page of `/`, whole without any script. */
export function homePage({ release, updates, count, views }: Home): Html {
  const seen = views === null ? html`` : html` · ${views} ${views === 1 ? 'view' : 'views'}`;
  return page(
    'tasuki',
    html`<h1>tasuki <small>the sash passes while both run</small></h1>
      <p>Served by release <code>${release}</code>. Deploy the next one and reload: nothing breaks.</p>
      <form method="post" action="/update">
        <input
          name="text"
          required
          maxlength="280"
          placeholder="Say something"
          aria-label="Text of the update"
          autocomplete="off"
        />
        <button>Post</button>
      </form>
      <ol>
        ${updates.map(row)}
      </ol>
      <footer>${count} ${count === 1 ? 'update' : 'updates'}${seen}</footer>`,
  );
}

function row({ text, release_id: release, at }: Update): Html {
  const time = at.toISOString();
  return html`<li>
    ${text}<small
      ><time datetime="${time}">${time.slice(0, 19).replace('T', ' ')} UTC</time> by
      <code>${release ?? 'unknown'}</code></small
    >
  </li> `;
}

/** Answers with a page for people: what happened and the id to quote. */
export function errorPage(res: Response, status: number, message: string, id: string): void {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`;
  sendPage(
    res,
    page(
      title,
      html`<h1>${title}</h1>
        <p>${message}</p>
        <p>Request <code>${id}</code> · <a href="/">Home</a></p>`,
    ),
  );
}

/** Sends a page under a policy that allows its own style and nothing else. */
export function sendPage(res: Response, body: Html): void {
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.setHeader('Content-Security-Policy', POLICY);
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('Referrer-Policy', 'same-origin');
  res.send(body.text);
}

function page(title: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width" />
      <title>${title}</title>
      ${STYLE_TAG} ${body}
    </html> `;
}
