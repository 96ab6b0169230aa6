import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Columns } from './columns.ts';
import type { LoadReport } from './options.ts';

/**
 * Writes the long lists of a run into `dir`:
 * `updates.tsv`: one line per POST to /update: its number in the run, then `ok` or the error;
 * `failed.ndjson`: every failed request with all fields; `requests.ndjson` (on demand): every request.
 */
export async function writeFiles(columns: Columns, dir: string, all: boolean): Promise<LoadReport['files']> {
  await mkdir(dir, { recursive: true });
  const updates = join(dir, 'updates.tsv');
  const failed = join(dir, 'failed.ndjson');
  const requests = all ? join(dir, 'requests.ndjson') : null;
  await write(updates, columns, (row) => {
    if (!columns.isUpdate(row)) return '';
    return `${row}\t${columns.errors.list[columns.error[row]!] || 'ok'}\n`;
  });
  const line = (row: number): string => `${JSON.stringify(columns.record(row))}\n`;
  await write(failed, columns, (row) => (columns.isFailed(row) ? line(row) : ''));
  if (requests !== null) await write(requests, columns, line);
  return { updates, failed, requests };
}

async function write(path: string, columns: Columns, line: (row: number) => string): Promise<void> {
  await pipeline(Readable.from(blocks(columns.rows, line)), createWriteStream(path));
}

/** Lines joined into large pieces: a stream element per line would cost more than the line. */
function* blocks(rows: number, line: (row: number) => string): Generator<string> {
  let block = '';
  for (let row = 0; row < rows; row++) {
    block += line(row);
    if (block.length < 65_536) continue;
    yield block;
    block = '';
  }
  yield block;
}
