import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createPool } from 'mysql2/promise';
import type { PoolOptions } from 'mysql2/promise';

/** One row as MySQL gives it; numbers may come as text. */
export type Row = Record<string, unknown>;
/** Runs one statement. Injected, since MySQL may be reachable only from inside the pod's network. */
export type Query = (sql: string) => Promise<Row[]>;

const PAGE_ROWS = 50_000;
const SHOWN = 50;

/** The updates of one run as the database has them, compared with what the clients were told. Lists hold the first 50. */
export interface Ledger {
  /** Rows of the run, duplicates included. */
  rows: number;
  duplicated: { id: string; times: number }[];
  /** Acknowledged, but not in the table. */
  missing: string[];
  /** In the table with a text that is not the one sent. */
  corrupted: string[];
  /** In the table under the run's prefix, but never sent. */
  strangers: string[];
  /** Failed at the client; executed or not. */
  unacknowledged: { id: string; error: string; executed: boolean }[];
  counts: {
    duplicated: number;
    missing: number;
    corrupted: number;
    strangers: number;
    lost: number;
    executed: number;
  };
}

/** What is needed of a report. */
interface Sent {
  run: string;
  sent: number;
  files: { updates: string };
}

/** Reads the table `cheers` in pages and compares it with `updates.tsv` of the report. */
export async function readLedger(query: Query, report: Sent): Promise<Ledger> {
  const like = `id LIKE '${checkedRun(report)}-%'`;
  const ledger = await compareIds(pages(query, like), report);
  // Every text begins and ends with its id (test/support/load/shots.ts).
  const cut = `LEFT(text, CHAR_LENGTH(id)) <> id OR RIGHT(text, CHAR_LENGTH(id)) <> id`;
  for (const { id } of await query(`SELECT id FROM cheers WHERE ${like} AND (${cut})`)) {
    note(ledger.corrupted, String(id));
    ledger.counts.corrupted++;
  }
  return ledger;
}

/**
 * Compares the ids of what was executed, wherever they are written, with `updates.tsv` of the report; those of other runs are
 * passed over. Half a million need one byte each: the number at the end of an id is its index.
 */
export async function compareIds(
  ids: AsyncIterable<string> | Iterable<string>,
  report: Sent,
): Promise<Ledger> {
  const run = checkedRun(report);
  const times = new Uint8Array(report.sent);
  const ledger = empty();
  for await (const id of ids) {
    if (!id.startsWith(`${run}-`)) continue;
    ledger.rows++;
    count(ledger, times, run, id);
  }
  await compare(ledger, times, run, report.files.updates);
  return ledger;
}

async function* pages(query: Query, like: string): AsyncGenerator<string> {
  for (let after = '-1'; ;) {
    const sql = `SELECT seq, id FROM cheers WHERE seq > ${after} AND ${like} ORDER BY seq LIMIT ${PAGE_ROWS}`;
    const page = await query(sql);
    for (const { id } of page) yield String(id);
    if (page.length < PAGE_ROWS) return;
    after = String(Number(page.at(-1)!.seq));
  }
}

function checkedRun({ run }: Sent): string {
  if (!/^run-[a-z0-9]+$/.test(run)) throw new Error(`ledger: not a run: ${run}`);
  return run;
}

/** Puts each id that was sent against the number of times it is in the table. */
async function compare(ledger: Ledger, times: Uint8Array, run: string, file: string): Promise<void> {
  const { counts } = ledger;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [number, error = ''] = line.split('\t');
    const executed = times[Number(number)]!;
    times[Number(number)] = 0;
    const id = `${run}-${number}`;
    if (executed > 1) {
      counts.duplicated++;
      note(ledger.duplicated, { id, times: executed });
    }
    if (error === 'ok') {
      if (executed > 0) continue;
      counts.missing++;
      note(ledger.missing, id);
      continue;
    }
    if (executed > 0) counts.executed++;
    else counts.lost++;
    note(ledger.unacknowledged, { id, error, executed: executed > 0 });
  }
  // What is left belongs to requests that were no updates.
  for (let n = times.findIndex((left) => left > 0); n >= 0 && n < times.length; n++) {
    if (times[n] === 0) continue;
    counts.strangers++;
    note(ledger.strangers, `${run}-${n}`);
  }
}

function count(ledger: Ledger, times: Uint8Array, run: string, id: string): void {
  const number = Number(id.slice(run.length + 1));
  if (Number.isInteger(number) && number >= 0 && number < times.length) {
    // A byte is enough: what was executed 255 times need not be counted further.
    if (times[number]! < 255) times[number]!++;
    return;
  }
  ledger.counts.strangers++;
  note(ledger.strangers, id);
}

function note<T>(list: T[], item: T): void {
  if (list.length < SHOWN) list.push(item);
}

function empty(): Ledger {
  const counts = { duplicated: 0, missing: 0, corrupted: 0, strangers: 0, lost: 0, executed: 0 };
  return { rows: 0, duplicated: [], missing: [], corrupted: [], strangers: [], unacknowledged: [], counts };
}

/** A query over a connection, for a MySQL that can be reached; disposed of with `await using`. */
export function mysqlQuery(options: PoolOptions): Query & AsyncDisposable {
  const pool = createPool({ ...options, connectionLimit: 1 });
  const query: Query = async (sql) => (await pool.query(sql))[0] as Row[];
  return Object.assign(query, { [Symbol.asyncDispose]: () => pool.end() });
}

/**
 * A query by a command that reads SQL on its standard input and prints tab-separated rows with a heading, such as
 * `['docker', 'exec', '-i', mysql, 'sh', '-c', 'mysql --batch -uroot -p"$(cat /run/secrets/root)" app']`.
 */
export function commandQuery([command, ...words]: [string, ...string[]], deadlineMs = 60_000): Query {
  return async (sql) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const child = spawn(command, words, { timeout: deadlineMs, stdio: ['pipe', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.on('error', reject);
    // The command may end before it has read everything; its exit code says so better than EPIPE.
    child.stdin.on('error', () => {});
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`ledger: ${command} ended (${signal ?? code}): ${err.trim().slice(-500)}`));
    });
    child.stdin.end(`${sql};\n`);
    const [heading, ...lines] = (await promise).split('\n').filter((line) => line !== '');
    const names = heading?.split('\t') ?? [];
    return lines.map((line) => {
      const values = line.split('\t');
      return Object.fromEntries(names.map((name, i) => [name, values[i]]));
    });
  };
}
