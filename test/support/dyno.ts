import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { execa } from 'execa';
import { docker, eventually } from './containers.ts';

/** A web dyno that does not listen on its port by then is ended (R10). */
const BIND_MS = 60_000;
/** After SIGTERM, what is left by then is ended by SIGKILL (R12). */
const STOP_MS = 30_000;
/** The release phase; the platform gives it an hour. */
const ONE_OFF_MS = 150_000;
const EXEC_MS = 20_000;

export interface DynoOptions {
  image: string;
  /** After the image's entry point. */
  command: string[];
  /** The config vars; PORT, DYNO and the like come from here. */
  env: Record<string, string>;
  network: string;
  /** The platform's name: `web.1`, `release.1`. */
  type: string;
  /** A folder that is the dyno's /app; absent: the image has all. */
  slug?: string;
}

/** A container as bare as a platform gives: no volume to write to, no rights, a user that the image does not know. */
export class Dyno implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  #host = '';

  private constructor(name: string, port: number) {
    this.name = name;
    this.port = port;
  }

  static async start({ image, command, env, network, type, slug }: DynoOptions): Promise<Dyno> {
    const dyno = new Dyno(`paas-${type}-${randomBytes(3).toString('hex')}`, 10_000 + (process.pid % 50_000));
    const given = { ...env, DYNO: type, PORT: String(dyno.port) };
    // The buildpack's own PATH has more, but no Node that is newer; here there is none at all beside that of the slug.
    const own = slug ? { HOME: '/app', PATH: '/usr/bin:/bin' } : {};
    const variables = Object.entries({ ...given, ...own }).flatMap(([key, value]) => [
      '--env',
      `${key}=${value}`,
    ]);
    const app = slug ? ['--volume', `${slug}:/app:ro`, '--workdir', '/app', '--entrypoint', ''] : [];
    // prettier-ignore
    await docker(['run', '--detach', '--name', dyno.name, '--network', network, '--user', '12345', '--read-only',
      '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true', '--memory', '512m',
      ...variables, ...app, image, ...command]);
    return dyno;
  }

  /** Starts one that ends by itself, and waits for that; answers its exit code and what it wrote. */
  static async run(options: DynoOptions): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    await using dyno = await Dyno.start(options);
    const exitCode = Number(await docker(['wait', dyno.name], ONE_OFF_MS));
    return { exitCode, ...(await dyno.logs()) };
  }

  /** Waits, as the platform does, until it listens on its port, and answers where that is. */
  async bound(): Promise<{ host: string; port: number }> {
    const format = '{{.State.Running}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    const [running, host = ''] = (await docker(['inspect', '--format', format, this.name])).split(' ');
    if (running !== 'true') throw new Error(`${this.name} ended: ${JSON.stringify(await this.logs())}`);
    this.#host = host;
    await eventually(`${this.name} listens`, async () => await connects(host, this.port), BIND_MS);
    return { host, port: this.port };
  }

  /** Where it listens, once `bound`. */
  get address(): { host: string; port: number } {
    return { host: this.#host, port: this.port };
  }

  /**
   * Ends it as the platform does: SIGTERM to each process, the children too, and SIGKILL to what is left 30 s later. Answers
   * the exit code, 137 in that case.
   */
  async stop(): Promise<number> {
    const exit = execa('docker', ['wait', this.name], { timeout: STOP_MS + EXEC_MS });
    await this.#signal('TERM');
    const late = setTimeout(() => void this.kill().catch(() => {}), STOP_MS);
    try {
      return Number((await exit).stdout);
    } finally {
      clearTimeout(late);
    }
  }

  /** Waits until it has written what matches. */
  async says(what: RegExp): Promise<void> {
    await eventually(`${this.name} says ${what}`, async () => what.test((await this.logs()).stdout), BIND_MS);
  }

  async kill(): Promise<void> {
    await docker(['kill', this.name]);
  }

  async logs(): Promise<{ stdout: string; stderr: string }> {
    const { stdout, stderr } = await execa('docker', ['logs', this.name], { timeout: EXEC_MS });
    return { stdout, stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await execa('docker', ['rm', '--force', '--volumes', this.name], { timeout: EXEC_MS, reject: false });
  }

  async #signal(name: string): Promise<void> {
    // -1: all but the first process and the one that asks.
    await docker(['exec', this.name, '/bin/sh', '-c', `kill -s ${name} -- 1 -1`], EXEC_MS);
  }
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
