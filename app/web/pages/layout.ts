import { STATUS_CODES } from 'node:http';
import type { Response } from 'express';
import { asset } from '../assets.ts';
import { html, type Html } from '../html.ts';

/** A whole page around a body. */
export function layout(title: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="${asset('sash.svg')}" type="image/svg+xml" />
        <link rel="stylesheet" href="${asset('board.css')}" />
      </head>
      <body>
        ${body}
      </body>
    </html> `;
}

/** What happened, and the id to quote. */
export function errorPage(status: number, message: string, id: string): Html {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`;
  return layout(
    title,
    html`<main class="notice">
      <h1>${title}</h1>
      <p>${message}</p>
      <p>Request <code>${id}</code> · <a href="/">Race board</a></p>
    </main>`,
  );
}

export function sendPage(res: Response, page: Html | Buffer): void {
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.send(Buffer.isBuffer(page) ? page : page.text);
}
