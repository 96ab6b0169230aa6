import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { request } from 'undici';

/** Static files for tests, in the shape build.ts gives them, and a client that leaves them as they came. */

const COMPRESS = { br: zlib.brotliCompressSync, zstd: zlib.zstdCompressSync, gzip: zlib.gzipSync };
const EXPAND = { br: zlib.brotliDecompressSync, zstd: zlib.zstdDecompressSync, gzip: zlib.gunzipSync };
export type Encoding = keyof typeof EXPAND;
export const ENCODINGS = ['br', 'zstd', 'gzip'] as const satisfies Encoding[];

/** A style sheet of some size that differs for each `seed`. */
export function css(seed: string): string {
  return Array.from({ length: 60 }, (_, i) => `.${seed}-${i} { color: #123456 }\n`).join('');
}

/** Writes each file and its compressed forms into `folder`; the names are used as they are. */
export async function writeAssets(folder: string, files: Record<string, string>): Promise<void> {
  for (const part of ['', ...ENCODINGS]) await mkdir(join(folder, part), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, name), text);
    for (const encoding of ENCODINGS) await writeFile(join(folder, encoding, name), COMPRESS[encoding](text));
  }
}

export interface Asset {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** As they came over the wire. */
  bytes: Buffer;
  /** After the encoding the answer names is taken away. */
  text: string;
}

/** One request for a static file. */
export async function fetchAsset(
  url: string,
  headers: Record<string, string> = {},
  method: 'GET' | 'HEAD' | 'POST' = 'GET',
): Promise<Asset> {
  const res = await request(url, { method, headers, headersTimeout: 10_000, bodyTimeout: 10_000 });
  const bytes = Buffer.from(await res.body.arrayBuffer());
  const encoding = res.headers['content-encoding'] as Encoding | undefined;
  const text = (encoding && bytes.length > 0 ? EXPAND[encoding](bytes) : bytes).toString();
  return { status: res.statusCode, headers: res.headers, bytes, text };
}

/** What a client says it takes, and the encoding it must get; app and proxy agree about it. */
export const NEGOTIATION: [accept: string | undefined, encoding: Encoding | undefined][] = [
  [undefined, undefined],
  ['identity', undefined],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip, zstd', 'zstd'],
  ['gzip', 'gzip'],
  ['GZIP;q=0.5', 'gzip'],
  ['br;q=0, gzip', 'gzip'],
  ['br; q=0.0,zstd;q=0.001', 'zstd'],
  ['br;q=0,zstd;q=0,gzip;q=0.000', undefined],
  ['xbr, brx, x-gzip', undefined],
];
