import net from 'node:net';
import mysql, { type Pool, type PoolConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2';
import { createBreaker } from '../breaker.ts';
import type { DatabaseConfig } from '../config.ts';
import { Unavailable } from '../errors.ts';
import { timed } from '../observe/context.ts';
import { rememberingLookup } from './lookup.ts';

/** A machine that is not there answers nothing, and one that is slow answers all the same: its kernel does. */
const REACH_TIMEOUT_MS = 2000;
/**
 * A database that hangs costs a request this much, then it is answered 503, whether or not it is done later. Cheap machines
 * stand still for seconds (their neighbours, their disks): up to 7 s were seen. Twice that, for a connection and for the
 * statement, is less than REQUEST_TIMEOUT_MS.
 */
const STATEMENT_TIMEOUT_MS = 9000;
/** A timer that is this late means that this process was held up. */
const HELD_UP_MS = 50;
/** Requests waiting for a connection in one child; more than this can only be late, so they are refused at once. */
const QUEUE_LIMIT = 1000;

const SOCKET = { keepAlive: true, noDelay: true };

export type Value = string | number | null;

/** MySQL through a pool of prepared statements, in which nothing waits without a deadline. */
export interface Database {
  /** Rows of a SELECT. */
  read: <T>(sql: string, values?: Value[], timeoutMs?: number) => Promise<T[]>;
  /** Runs one statement that changes something; never tried twice, because its outcome may be unknown. */
  write: (sql: string, values?: Value[]) => Promise<ResultSetHeader>;
  /** Runs `work` on one connection: named locks belong to a connection. */
  session: <T>(work: (read: Database['read']) => Promise<T>) => Promise<T>;
  close: () => Promise<void>;
}

/** Opens nothing yet: the first statement does. */
export function createDatabase(config: DatabaseConfig): Database {
  const lookup = rememberingLookup();
  const pool = mysql.createPool({
    host: config.host,
    port: config.port,
    user: config.user,
    password: config.password,
    database: config.database,
    ...(config.tls && { ssl: config.tls }),
    connectionLimit: config.pool,
    maxIdle: config.pool,
    queueLimit: QUEUE_LIMIT,
    connectTimeout: STATEMENT_TIMEOUT_MS,
    stream: () => reach(net.connect({ host: config.host, port: config.port, ...SOCKET, lookup })),
    maxPreparedStatements: 256,
    charset: 'utf8mb4',
    timezone: 'Z',
    supportBigNumbers: true,
  });

  const breaker = createBreaker();

  const run = async <T>(sql: string, values: Value[], timeoutMs: number): Promise<T> => {
    if (!breaker.allows()) throw new Unavailable('the database');
    try {
      const result = await runOnce<T>(sql, values, timeoutMs);
      breaker.answered();
      return result;
    } catch (error) {
      // A full queue is our own, and an error of SQL is an answer.
      if (error instanceof Unavailable && !isFull(error.cause)) breaker.late();
      else breaker.answered();
      throw error;
    }
  };

  const runOnce = async <T>(sql: string, values: Value[], timeoutMs: number): Promise<T> => {
    const connection = await timed('queue', () => acquire(pool, timeoutMs));
    try {
      return await timed('db', () => execute<T>(connection, sql, values, timeoutMs));
    } finally {
      connection.release();
    }
  };

  return {
    read: <T>(sql: string, values: Value[] = [], timeoutMs = STATEMENT_TIMEOUT_MS) =>
      run<T[]>(sql, values, timeoutMs),
    write: (sql, values = []) => run<ResultSetHeader>(sql, values, STATEMENT_TIMEOUT_MS),
    async session(work) {
      const connection = await acquire(pool, STATEMENT_TIMEOUT_MS);
      try {
        return await work((sql, values = [], timeoutMs = STATEMENT_TIMEOUT_MS) =>
          execute(connection, sql, values, timeoutMs),
        );
      } finally {
        connection.release();
      }
    },
    close: () => new Promise((resolve) => pool.end(() => resolve())),
  };
}

/**
 * Calls `late` after `ms`. A process that was held up itself runs its timers before it reads its sockets: the time it
 * lost is not the database's, and is added once.
 */
function deadline(ms: number, late: () => void): { clear: () => void } {
  const due = performance.now() + ms;
  let timer = setTimeout(() => {
    const lost = performance.now() - due;
    if (lost < HELD_UP_MS) late();
    else timer = setTimeout(late, Math.min(lost, ms));
  }, ms);
  return { clear: () => clearTimeout(timer) };
}

/** Gives a connection up that nobody takes. mysql2's own deadline is for the handshake as well, for which the server must run. */
function reach(socket: net.Socket): net.Socket {
  const late = Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' });
  const timer = deadline(REACH_TIMEOUT_MS, () => socket.destroy(late));
  return socket.once('connect', timer.clear).once('close', timer.clear);
}

/** A connection of the pool. mysql2 has no deadline of its own for this wait. */
function acquire(pool: Pool, timeoutMs: number): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = deadline(timeoutMs, () => {
      late = true;
      reject(new Unavailable('the database'));
    });
    pool.getConnection((error, connection) => {
      timer.clear();
      if (late) connection?.release();
      else if (error) reject(translate(error));
      else resolve(connection);
    });
  });
}

/**
 * One prepared statement. At the deadline the connection is destroyed, not released: its answer may still come, and
 * would hold up whoever uses the connection next.
 */
function execute<T>(connection: PoolConnection, sql: string, values: Value[], timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = deadline(timeoutMs, () => {
      connection.destroy();
      reject(new Unavailable('the database'));
    });
    connection.execute<RowDataPacket[]>(sql, values, (error, result) => {
      timer.clear();
      if (error) reject(translate(error));
      else resolve(result as unknown as T);
    });
  });
}

const UNAVAILABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'PROTOCOL_CONNECTION_LOST',
  'ER_CON_COUNT_ERROR',
  'ER_SERVER_SHUTDOWN',
  'ER_QUERY_INTERRUPTED',
]);

function isFull(error: unknown): boolean {
  return error instanceof Error && error.message === 'Queue limit reached.';
}

/** A server without TLS, or with a certificate that is not believed, is the same the next time. */
function isTlsRefused({ code, message }: NodeJS.ErrnoException): boolean {
  return (
    code === 'HANDSHAKE_NO_SSL_SUPPORT' || (code === 'HANDSHAKE_SSL_ERROR' && /certificate/i.test(message))
  );
}

/** A lost or refused connection and a full queue mean "try again later"; everything else is a fault of ours. */
function translate(error: NodeJS.ErrnoException & { fatal?: boolean }): Error {
  if (isTlsRefused(error)) return error;
  if (isFull(error) || error.fatal === true || UNAVAILABLE.has(error.code ?? ''))
    return new Unavailable('the database', error);
  return error.message.includes('closed state') ? new Unavailable('the database', error) : error;
}
