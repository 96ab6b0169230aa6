const MAX_LENGTH = 200;

/** What an answer says, for one line of a message: without markup and line ends, and not all of it. */
export function gist(body: string): string {
  const text = body
    .replaceAll(/<(style|script|title)\b[^]*?<\/\1>/gi, ' ')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return text.slice(0, MAX_LENGTH);
}
