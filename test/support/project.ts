import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { docker, freePort } from './containers.ts';
import { commandQuery, type Query } from './ledger.ts';
import { parseNetstat, type KernelCounters } from './load/kernel.ts';
import { copyProject } from './project-files.ts';
import { parseEvents, type Run, type Status } from './project-output.ts';
import { provideProxy, type ProxyName } from './proxies.ts';
import type { StrategyFile } from './strategies.ts';

export type { Run, Status } from './project-output.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEPLOY = join(ROOT, 'bin/deploy');
const UP_MS = 240_000;
const DEPLOY_MS = 180_000;

export interface ProjectOptions {
  /** Go into its `.env`. */
  variables?: Record<string, string>;
  /** Changes its compose.yaml. */
  edit?: (composeText: string) => string;
  /** Where its folder is made. */
  parent?: string;
  /** How releases are handed over; default: as shipped. */
  strategy?: StrategyFile | undefined;
  /** For tests that deploy often and look at other things than drains: those are over sooner. */
  hasty?: boolean;
  /** Which one is in front; nginx when absent. */
  proxy?: ProxyName;
}

/**
 * A Compose project for one test file: this repository's compose.yaml and proxy in a folder of its own (`deploy`
 * writes its `.env` there), under a name of its own, on a free port, with a state folder of its own.
 */
export class Project implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly port: number;

  private constructor(name: string, folder: string, port: number) {
    this.name = name;
    this.folder = folder;
    this.port = port;
  }

  /** Copies the files and brings the stack up with `image`. */
  static async up(
    image: string,
    {
      variables = {},
      edit = (text) => text,
      parent = tmpdir(),
      strategy,
      hasty = false,
      proxy = 'nginx',
    }: ProjectOptions = {},
  ): Promise<Project> {
    await provideProxy(proxy);
    const name = `t${process.pid}-${randomBytes(3).toString('hex')}`;
    const folder = await mkdtemp(join(parent, 'tasuki-project-'));
    const port = await freePort();
    await copyProject(folder, { edit, hasty });
    // Counted like any visitor's, but a load of one address must not be refused for being one.
    const own = {
      HTTP_PORT: String(port),
      HTTPS_PORT: '0', // the engine chooses
      PROXY: proxy,
      TASUKI_IMAGE: image,
      WORKER_IMAGE: image,
      RATE_LIMIT: '1000000000',
      ...(strategy && { COMPOSE_FILE: `compose.yaml:proxy/strategies/${strategy}.yaml` }),
    };
    const lines = { COMPOSE_PROJECT_NAME: name, ...own, ...variables };
    const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(join(folder, '.env'), text.join(''));
    const project = new Project(name, folder, port);
    try {
      await project.compose('up', '-d', '--wait', '--no-build');
    } catch (error) {
      await project[Symbol.asyncDispose]();
      throw error;
    }
    return project;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** `docker compose <args>`, as a user would type it in the folder; both streams. */
  async compose(...args: string[]): Promise<string> {
    const words = ['compose', '--ansi', 'never', ...args];
    const { all } = await execa('docker', words, {
      cwd: this.folder,
      all: true,
      timeout: UP_MS,
      stdin: 'ignore',
    });
    return all;
  }

  /** Starts `deploy <args>` and gives the running process. */
  spawnDeploy(args: string[], env: Record<string, string> = {}) {
    return execa(DEPLOY, args, {
      cwd: this.folder,
      env: { TASUKI_STATE_DIR: join(this.folder, 'state'), ...env },
      reject: false,
      stdin: 'ignore',
      timeout: DEPLOY_MS,
      killSignal: 'SIGKILL',
    });
  }

  /** Runs `deploy <args>` to its end, whatever its exit code. */
  async deploy(...args: string[]): Promise<Run> {
    const { exitCode, stdout, stderr } = await this.spawnDeploy(args);
    const events = args.includes('--json') ? parseEvents(stdout) : [];
    return { exitCode: exitCode ?? -1, stdout, stderr, events };
  }

  /** Like `deploy`, but a failure is an error with everything the command said. */
  async deployOk(...args: string[]): Promise<Run> {
    const run = await this.deploy(...args);
    if (run.exitCode !== 0)
      throw new Error(`deploy ${args.join(' ')} ended with ${run.exitCode}\n${run.stdout}\n${run.stderr}`);
    return run;
  }

  /** `deploy status --json`. */
  async status(): Promise<Status> {
    return JSON.parse((await this.deploy('status', '--json')).stdout) as Status;
  }

  /** The release that answers through the proxy, or null. */
  async answering(): Promise<string | null> {
    const response = await fetch(`${this.url}/healthz`, { signal: AbortSignal.timeout(10_000) }).catch(
      () => null,
    );
    await response?.arrayBuffer();
    return response?.ok ? response.headers.get('x-release') : null;
  }

  /** Waits until the stack answers again, at most `ms`; gives the release and the milliseconds it took. */
  async untilAnswering(ms: number): Promise<{ release: string; ms: number }> {
    const start = performance.now();
    while (performance.now() - start < ms) {
      const release = await this.answering();
      if (release) return { release, ms: Math.round(performance.now() - start) };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${this.url} did not answer within ${ms} ms`);
  }

  /** Ids of all containers of the project (hidden ones too), with name, image and state. */
  async containers(
    service = 'app',
  ): Promise<{ id: string; name: string; image: string; state: string; status: string }[]> {
    const filters = [
      `label=com.docker.compose.project=${this.name}`,
      `label=com.docker.compose.service=${service}`,
    ];
    const format = '{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.State}}\t{{.Status}}';
    const text = await docker([
      'ps',
      '-a',
      '--no-trunc',
      ...filters.flatMap((f) => ['--filter', f]),
      '--format',
      format,
    ]);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [id = '', name = '', image = '', state = '', status = ''] = line.split('\t');
        return { id, name, image, state, status };
      });
  }

  /** Runs SQL in the project's MySQL as the app's user; for the ledger. */
  async query(): Promise<Query> {
    const [mysql] = await this.containers('mysql');
    const client = 'MYSQL_PWD=$(cat $MYSQL_PASSWORD_FILE) mysql --batch -utasuki tasuki';
    return commandQuery(['docker', 'exec', '-i', mysql?.id ?? '', 'sh', '-c', client]);
  }

  /** The pod's address on the project's network: no docker-proxy between the load and the proxy. */
  async podAddress(): Promise<string> {
    const [pod] = await this.containers('pod');
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    return (await docker(['inspect', '--format', format, pod?.id ?? ''])).trim();
  }

  /** The kernel's counters in the pod's namespace. */
  async kernel(): Promise<KernelCounters> {
    const [pod] = await this.containers('pod');
    return parseNetstat(await docker(['exec', pod?.id ?? '', 'cat', '/proc/net/netstat']));
  }

  /** `docker compose up -d` must change no container of the project: the ids and start times before and after. */
  async upChanges(): Promise<string[]> {
    const before = await this.#fingerprint();
    await this.compose('up', '-d', '--no-build');
    const after = await this.#fingerprint();
    return [
      ...before.filter((line) => !after.includes(line)),
      ...after.filter((line) => !before.includes(line)),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // At once, the hidden ones too: nobody needs what they would take their time to save.
    const mine = ['ps', '-aq', '--filter', `label=com.docker.compose.project=${this.name}`];
    const ids = (await docker(mine)).split('\n').filter(Boolean);
    await docker(['rm', '-f', `${this.name}-deploy-lock`, ...ids]).catch(() => {});
    await this.compose('down', '-v', '--remove-orphans', '-t', '5');
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Sets a variable in `.env`, as a person would: the last line of a name counts. */
  async setVariable(name: string, value: string): Promise<void> {
    await appendFile(join(this.folder, '.env'), `${name}=${value}\n`);
  }

  /** The text of a file in the project's folder. */
  async read(file: string): Promise<string> {
    return await readFile(join(this.folder, file), 'utf8');
  }

  async #fingerprint(): Promise<string[]> {
    const ids = await docker([
      'ps',
      '-a',
      '-q',
      '--no-trunc',
      '--filter',
      `label=com.docker.compose.project=${this.name}`,
    ]);
    const format = '{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}';
    return (await docker(['inspect', '--format', format, ...ids.split('\n').filter(Boolean)])).split('\n');
  }
}

/** Builds the app's image and good successors of it; fast once the engine has them in its cache. */
export async function buildReleases(...names: string[]): Promise<string[]> {
  await docker(['build', '-q', '-t', 'tasuki-test:v1', ROOT], 300_000);
  return await Promise.all(names.map((name) => buildFixture('v2', name)));
}

/** Builds one kind of test/fixtures on top of the app's image; gives its name. */
export async function buildFixture(kind: string, name = kind): Promise<string> {
  const tag = `tasuki-test:${name}`;
  const args = ['BASE=tasuki-test:v1', `KIND=${kind}`, `NAME=${name}`].flatMap((arg) => ['--build-arg', arg]);
  await docker(['build', '-q', '-t', tag, ...args, join(ROOT, 'test/fixtures')], 120_000);
  return tag;
}
