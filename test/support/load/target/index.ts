import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Query } from '../../ledger.ts';
import type { TargetFacts, TargetOptions } from './main.ts';

const DEADLINE_MS = 10_000;

export interface Target extends AsyncDisposable {
  url: string;
  port: number;
  /** What the server did, faults included. */
  facts(): Promise<TargetFacts>;
  /** Calls Node's own `server.close()`; resolves when the process has ended. */
  close(): Promise<void>;
}

/** Where a test's targets write their updates. */
export function ledgerFile(): string {
  return join(mkdtempSync(join(tmpdir(), 'tasuki-target-')), 'ledger.db');
}

/** Starts the faulty server and waits until it listens. */
export async function startTarget(options: Partial<TargetOptions> & { ledger: string }): Promise<Target> {
  const given: TargetOptions = { name: 'target', port: 0, ...options };
  const child = fork(join(import.meta.dirname, 'main.ts'), [JSON.stringify(given)]);
  const ended = once(child, 'exit');
  const reply = async (): Promise<{ port?: number; facts?: TargetFacts }> => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const exit = ended.then(() => Promise.reject(new Error('target: ended')));
    return (await Promise.race([once(child, 'message', { signal }), exit]))[0];
  };
  const port = (await reply()).port!;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    facts: async () => {
      child.send('facts');
      return (await reply()).facts!;
    },
    close: async () => {
      child.send('close');
      await ended;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The ledger's query over the targets' SQLite file, with the few functions of MySQL that it uses. */
export function sqliteQuery(file: string): Query & Disposable {
  const db = new DatabaseSync(file);
  db.exec('CREATE TABLE IF NOT EXISTS cheers (seq INTEGER PRIMARY KEY, id TEXT, text TEXT)');
  db.function('CHAR_LENGTH', (value) => String(value).length);
  db.function('LEFT', (value, length) => String(value).slice(0, Number(length)));
  db.function('RIGHT', (value, length) => String(value).slice(-Number(length)));
  const query: Query = async (sql) => db.prepare(sql).all();
  return Object.assign(query, { [Symbol.dispose]: () => db.close() });
}
