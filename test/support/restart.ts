import net from 'node:net';
import { once } from 'node:events';
import type { Dyno } from './dyno.ts';
import { readLedger, type Query } from './ledger.ts';
import { judge, startLoad, type Judgement, type LoadReport, type StartOptions } from './load/index.ts';
import { Router, type Address } from './router.ts';

/**
 * A load that leaves room for the dynos and the router on two cores. Its slow requests take far longer than ENOUGH answers, so they
 * are in their midst when the restart comes.
 */
const LOAD: Partial<StartOptions> = {
  mode: { rate: 150 },
  keepAlive: 16,
  fresh: 16,
  freshShare: 0.5,
  slow: 4,
  slowMs: 6000,
};
/** Answers to wait for before the restart and after it. */
const ENOUGH = 300;
const LOAD_MS = 120_000;

export interface Restart {
  report: LoadReport;
  judgement: Judgement;
  /** Of the dyno that was ended. */
  exitCode: number;
  /** From the moment it was asked. */
  exitMs: number;
  /** What it wrote to standard output. */
  log: string;
}

/**
 * Restarts the one dyno of an app as the platform does: no more requests for the old one, `end` it, and start the new one at once;
 * requests wait in the router meanwhile. Says what clients and the ledger saw of it.
 */
export async function restartUnderLoad(
  start: () => Promise<Dyno>,
  end: (old: Dyno) => Promise<number>,
  query: Query,
): Promise<Restart> {
  await using router = await Router.listen();
  await using old = await start();
  router.add(await old.bound());
  await using load = await startLoad({ ...LOAD, target: router.url });
  await load.until(({ answered }) => answered > ENOUGH, LOAD_MS);
  router.remove(old.address);
  const intoService = async (dyno: Dyno): Promise<Dyno> => {
    router.add(await dyno.bound());
    const before = (await load.counters()).answered;
    await load.until(({ answered }) => answered > before + ENOUGH, LOAD_MS);
    return dyno;
  };
  const asked = performance.now();
  const ending = end(old).then((exitCode) => ({ exitCode, exitMs: Math.round(performance.now() - asked) }));
  const [ended, next] = await Promise.all([ending, start().then(intoService)]);
  await using _ = next;
  const { stdout: log } = await old.logs();
  const report = await load.stop();
  return { report, judgement: judge(report, await readLedger(query, report)), ...ended, log };
}

/** A connection that a client keeps, and on which it says what it wants byte by byte. */
export class KeptConnection implements Disposable {
  readonly #socket: net.Socket;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  static async open({ host, port }: Address): Promise<KeptConnection> {
    const socket = net.connect(port, host).setEncoding('utf8');
    socket.on('error', () => {}); // the next request tells
    await once(socket, 'connect');
    return new KeptConnection(socket);
  }

  /** Asks for `/healthz`; answers the status and for how many seconds the server says it keeps the connection. */
  async ask(): Promise<{ status: number; keptSeconds: number }> {
    this.#socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const [head] = (await once(this.#socket, 'data', { signal: AbortSignal.timeout(10_000) })) as [string];
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
    return { status, keptSeconds: Number(/^Keep-Alive: timeout=(\d+)/im.exec(head)?.[1] ?? 0) };
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
