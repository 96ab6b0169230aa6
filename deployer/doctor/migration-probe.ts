/* oxlint-disable unicorn/consistent-function-scoping, unicorn/no-process-exit, node/no-process-env --
   hold() and probe() are main programs, sent as text: nothing may move out of them. */
import type { Engine } from '../engine/docker.ts';
import { runInside } from './inside.ts';

/**
 * The behaviour of listener migration, tried out where it matters: in the network namespace of a container that has
 * Node. A process listens and never accepts, connections wait in its queue, a second process listens on the same port,
 * the first is killed. Every connection must be answered by the second. CVE-2026-46015 lets them sleep there until some
 * other connection arrives, so the value of the sysctl alone proves nothing.
 */

/** One exchange of listeners. The counts are of connections. */
export interface Try {
  connections: number;
  reset: number;
  /** Answered only after another connection had woken the listener. */
  slept: number;
  /** Neither answered nor reset. */
  lost: number;
  /** Milliseconds from the kill to the last answer that came by itself. */
  slowestMs: number;
}

export interface ProbeResult {
  tries: Try[];
  error: string | null;
}

interface ProbeOptions {
  /** Source of the process that listens and never accepts. */
  holder: string;
  flags: string[];
  connections: number;
  tries: number;
  wakeMs: number;
  waitMs: number;
  deadlineMs: number;
}

/** A queued connection must be woken within this many milliseconds. */
export const WAKE_MS = 100;
const TRIES = 5;
const CONNECTIONS = 8;
/** How long a connection may wait by itself before it counts as asleep. */
const WAIT_MS = 1000;
const DEADLINE_MS = 15_000;
const EXEC_TIMEOUT_MS = 20_000;
/** It shares the memory limit of the app that serves. */
const SMALL = ['--max-old-space-size=32', '--max-semi-space-size=1'];

/** Runs the probe in a container; `node` is the command that starts Node there. */
export async function probeMigration(
  engine: Engine,
  containerId: string,
  node = 'node',
): Promise<ProbeResult> {
  const { stdout, stderr } = await runInside(
    engine,
    containerId,
    [node, ...SMALL, '-e', probeSource()],
    EXEC_TIMEOUT_MS,
  );
  return parseProbe(stdout, stderr);
}

/** The result in what the probe wrote; an image may print lines of its own around it. */
export function parseProbe(stdout: string, stderr: string): ProbeResult {
  for (const line of stdout.split('\n').toReversed()) {
    if (!line.startsWith('{"tries":')) continue;
    try {
      return JSON.parse(line) as ProbeResult;
    } catch {
      break;
    }
  }
  const said = (stderr.trim() || stdout.trim()).split('\n').filter(Boolean);
  return {
    tries: [],
    error: said.find((line) => line.includes('Error')) ?? said.at(-1) ?? 'the probe wrote nothing',
  };
}

/** The probe as one script for `node -e`: the functions below as text, so that they are checked like all other code. */
export function probeSource(): string {
  const options: ProbeOptions = {
    holder: `(${hold.toString()})()`,
    flags: SMALL,
    connections: CONNECTIONS,
    tries: TRIES,
    wakeMs: WAKE_MS,
    waitMs: WAIT_MS,
    deadlineMs: DEADLINE_MS,
  };
  return `(${probe.toString()})(${JSON.stringify(options)})`;
}

/** Runs as text: nothing from outside its braces. Listens, reports the port, and blocks its event loop for good. */
function hold(): void {
  const net = process.getBuiltinModule('node:net');
  const fs = process.getBuiltinModule('node:fs');
  const server = net.createServer();
  server.listen({ host: '127.0.0.1', port: 0, reusePort: true }, () => {
    fs.writeSync(1, `${(server.address() as { port: number }).port}\n`);
    // Ends by itself, should the process that must kill it be gone.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 15_000);
    process.kill(process.pid, 'SIGKILL');
  });
}

/** Runs as text: nothing from outside its braces. Writes one line of JSON, a ProbeResult. */
async function probe(options: ProbeOptions): Promise<void> {
  const net = process.getBuiltinModule('node:net');
  const { spawn } = process.getBuiltinModule('node:child_process');
  const { once } = process.getBuiltinModule('node:events');
  const { createInterface } = process.getBuiltinModule('node:readline');
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const tries: Try[] = [];
  const kill = new AbortController();

  const finish = (error: string | null): void => {
    kill.abort();
    process.stdout.write(`${JSON.stringify({ tries, error })}\n`, () => process.exit());
  };
  setTimeout(() => finish(tries.length ? null : 'it did not end in time'), options.deadlineMs);

  async function exchange(): Promise<Try> {
    const env = { ...process.env, NODE_OPTIONS: '' };
    const child = spawn(process.execPath, [...options.flags, '-e', options.holder], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: kill.signal,
      killSignal: 'SIGKILL',
    });
    child.on('error', () => {});
    let complaint = '';
    child.stderr.on('data', (text) => (complaint += String(text)));
    const exited = once(child, 'exit').then(
      () => `the listener ended: ${complaint.trim().split('\n').pop()}`,
    );
    const said = await Promise.race([once(createInterface(child.stdout), 'line'), exited]);
    if (typeof said === 'string') throw new Error(said);
    const port = Number(said[0]);

    let killedAt = Infinity;
    const waiting = new Set<object>();
    let reset = 0;
    let slowestMs = 0;
    const client = async (): Promise<void> => {
      const socket = net.connect(port, '127.0.0.1');
      const end = (isReset: boolean): void => {
        if (!waiting.delete(socket)) return;
        if (isReset) reset += 1;
        else slowestMs = performance.now() - killedAt;
        socket.destroy();
      };
      waiting.add(socket);
      socket.on('data', () => end(false));
      socket.on('error', () => end(true));
      socket.on('close', () => end(true));
      await once(socket, 'connect');
      socket.write('x');
    };
    await Promise.all(Array.from({ length: options.connections }, client));

    // The successor listens only now, so that every connection waits at the first.
    const successor = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.end('y'));
    });
    successor.listen({ host: '127.0.0.1', port, reusePort: true });
    await once(successor, 'listening');
    // Its socket must be in epoll before: adding it later would find the queue filled and hide a missing wake-up.
    await tick();
    await tick();

    killedAt = performance.now();
    child.kill('SIGKILL');
    const settle = async (ms: number): Promise<void> => {
      for (const end = performance.now() + ms; waiting.size && performance.now() < end;) await sleep(2);
    };
    await settle(options.waitMs);
    const asleep = waiting.size;
    const ownMs = Math.round(slowestMs);
    if (asleep) {
      net
        .connect(port, '127.0.0.1')
        .on('error', () => {})
        .end('x')
        .unref();
      await settle(options.waitMs / 2);
    }
    const lost = waiting.size;
    await exited;
    successor.close();
    return { connections: options.connections, reset, slept: asleep - lost, lost, slowestMs: ownMs };
  }

  try {
    while (tries.length < options.tries) {
      const last = await exchange();
      tries.push(last);
      if (last.reset + last.slept + last.lost === 0 && last.slowestMs <= options.wakeMs) break;
    }
    finish(null);
  } catch (error) {
    finish(error instanceof Error ? error.message : String(error));
  }
}
