import assert from 'node:assert/strict';

/** Who does less work is faster: before anything is measured, both sides must answer the same. */

/** How much the sizes of the two pages may differ, as a part of ours. */
const SIZE_DIFFERENCE = 0.02;

const FORM = new URLSearchParams({ team: '3', text: 'Fight! "Two" more <kilometres>' });

/** Throws when the peer's board is not ours, to the word; returns the bytes of both pages. */
export async function comparePages(ours: string, peer: string): Promise<{ ours: number; peer: number }> {
  const home = [await page(ours, '/'), await page(peer, '/')] as const;
  assert.equal(essence(home[1]), essence(home[0]), 'the peer serves another page');

  // Each post adds a row, so the counts go on, and the row of the first moves the last one off the second page.
  const posted = [await page(ours, '/update', FORM), await page(peer, '/update', FORM)] as const;
  const [first, second] = posted.map((text) => withoutCheers(essence(text)));
  assert.equal(second, first, 'the peer serves another page after a cheer');
  for (const text of posted)
    assert.match(essence(text), /<ol><li><p>Fight! &quot;Two&quot; more &lt;kilometres&gt;<\/p>/);
  const [ownRows, peerRows] = posted.map((text) => text.match(/<li>/g)?.length);
  assert.equal(peerRows, ownRows, 'the peer shows another number of cheers');

  const bytes = { ours: Buffer.byteLength(home[0]), peer: Buffer.byteLength(home[1]) };
  assert.ok(
    Math.abs(bytes.peer / bytes.ours - 1) < SIZE_DIFFERENCE,
    `sizes differ: ${JSON.stringify(bytes)}`,
  );
  return bytes;
}

/** Throws when the peer's `/echo` tells less or more than ours, or something else. */
export async function compareEchoes(ours: string, peer: string): Promise<void> {
  for (const body of [undefined, FORM]) {
    const [expected, actual] = await Promise.all([ours, peer].map((url) => echo(url, body)));
    assert.deepEqual(actual, expected, 'the peer echoes something else');
  }
}

async function page(url: string, path: string, form?: URLSearchParams): Promise<string> {
  const response = await fetch(url + path, form ? { method: 'POST', body: form } : {});
  assert.equal(response.status, 200, `${url}${path}`);
  return await response.text();
}

/** Without what may differ: space between elements, hashes of static files, the release. Quotes by one name. */
function essence(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([<>]) ?/g, '$1')
    .replaceAll(/(\/assets\/\w+)-[A-Z0-9]{8}\./g, '$1.')
    .replace(/(Served by release<code>)[^<]*/, '$1')
    .replaceAll('&#34;', '&quot;')
    .trim();
}

function withoutCheers(text: string): string {
  return text
    .replace(/<ol>.*<\/ol>/, '')
    .replace(/<output>\d+/, '<output>')
    .replaceAll(/<td class="n">\d+<\/td><\/tr>/g, '');
}

/** What an echo says, with the values that are another's at each request reduced to their types. */
async function echo(url: string, body?: URLSearchParams): Promise<unknown> {
  const headers = { cookie: 'a=1; b=two' };
  const init = body ? { method: 'POST', body, headers } : { headers };
  const response = await fetch(`${url}/echo?leg=3`, init);
  const answer = (await response.json()) as Record<string, unknown>;
  assert.equal(response.status, 200, `${url}/echo`);
  const own = ['id', 'uuid', 'time', 'release', 'host'].map((key) => [key, typeof answer[key]]);
  const names = Object.keys(answer.headers as object).toSorted();
  const instance = Object.keys(answer.instance as object);
  return { ...answer, ...Object.fromEntries(own), headers: names, instance };
}
