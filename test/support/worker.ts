import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { State } from '../../deployer/contract.ts';
import { eventually } from './containers.ts';
import { Control } from './instance.ts';

const MAIN = join(import.meta.dirname, '../../app/main.ts');

/** One instance of the worker role on this host: supervisor and children for real. */
export class Worker implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #socket: string;
  output = '';

  /** `main` may be another script that calls serve(). */
  constructor(dir: string, env: Record<string, string>, main = MAIN) {
    this.#socket = join(dir, `${Math.random().toString(36).slice(2, 8)}.sock`);
    this.process = spawn(process.execPath, [main, 'worker'], {
      env: { ...process.env, WEB_CONCURRENCY: '2', LOG_LEVEL: 'info', CONTROL_SOCKET: this.#socket, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  get gone(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  async state(): Promise<State> {
    const control = await Control.open(this.#socket);
    try {
      return (await control.ask('state')) as State;
    } finally {
      control.close();
    }
  }

  async check(path: string): Promise<{ status: number; body: string }> {
    const control = await Control.open(this.#socket);
    try {
      return (await control.ask('check', { path })) as { status: number; body: string };
    } finally {
      control.close();
    }
  }

  /** Resolves when all children take jobs. */
  async takesJobs(): Promise<State> {
    return await eventually(
      `takes jobs: ${this.output}`,
      async () => {
        const state = await this.state();
        return state.phase === 'serving' && state.children.every(({ ready }) => ready) ? state : null;
      },
      60_000,
    );
  }

  /** The pids of the children that run now; empty when there is no supervisor to ask. */
  async children(): Promise<number[]> {
    return await this.state().then(
      ({ children }) => children.filter(({ ready }) => ready).map(({ pid }) => pid),
      () => [],
    );
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** The exit code; waits for the end of the supervisor. */
  async ended(): Promise<number | null> {
    if (!this.gone) await once(this.process, 'exit');
    return this.process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL');
    await this.ended();
  }
}

/** Seconds of CPU a process has used so far; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100; // clock ticks, 100 a second on Linux
  } catch {
    return 0;
  }
}
