import Docker from 'dockerode';
import { docker } from '../../support/containers.ts';
import { Project } from '../../support/project.ts';
import { APP_IMAGE, SIDES, withPeers, type Side } from './peers.ts';

const READY_MS = 60_000;
const PAUSE_MS = 100;
/** Rows in `cheers` when a measurement begins. */
const ROWS = 500;

/** What a side's CPU time is spent in. */
export const PARTS = ['app', 'proxy', 'mysql'] as const;
export type Part = (typeof PARTS)[number];

interface Place {
  /** Id of the container that owns the network namespace. */
  pod: string;
  url: string;
  containers: Record<Part, string>;
}

/** Our stack and all peers in one Compose project; only one side is loaded at a time. */
export class Stack implements AsyncDisposable {
  readonly #project: Project;
  readonly #places: Record<Side, Place>;
  readonly #engine = new Docker();
  /** Numbers grow from one filling of the table to the next, as they do in life: who counts new rows by them still can. */
  #lastRow = 0;

  private constructor(project: Project, places: Record<Side, Place>) {
    this.#project = project;
    this.#places = places;
  }

  static async up(): Promise<Stack> {
    const project = await Project.up(APP_IMAGE, { edit: withPeers });
    try {
      const sides = Object.entries(SIDES).map(async ([side, pod]) => [side, await place(project, pod)]);
      const stack = new Stack(project, Object.fromEntries(await Promise.all(sides)) as Record<Side, Place>);
      for (const { url } of Object.values(stack.#places)) await untilReady(`${url}/echo`);
      return stack;
    } catch (error) {
      await project[Symbol.asyncDispose]();
      throw error;
    }
  }

  place(side: Side): Place {
    return this.#places[side];
  }

  /** Makes the table the same for whoever is measured next. */
  async refill(): Promise<void> {
    const query = await this.#project.query();
    const [row] = await query('SELECT MAX(seq) AS last FROM cheers');
    this.#lastRow = Math.max(this.#lastRow, Number(row?.last) || 0);
    await query('TRUNCATE TABLE cheers');
    await query(
      `INSERT INTO cheers (seq, id, team_id, text, release_id, at)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
       SELECT ${this.#lastRow} + i, CONCAT('row-', i), NULLIF(i MOD 21, 0),
         CONCAT('Fight! ', i, ' more kilometres, <b>& "faster"</b>'), 'v1', '2026-01-02 08:00:00' + INTERVAL i SECOND
       FROM n`.replaceAll(/\s+/g, ' '),
    );
    this.#lastRow += ROWS;
  }

  /** CPU time that the side's containers have used so far, in microseconds. */
  async cpu(side: Side): Promise<Record<Part, number>> {
    const { containers } = this.#places[side];
    const used = PARTS.map(async (part) => {
      const stats = await this.#engine
        .getContainer(containers[part])
        .stats({ stream: false, 'one-shot': true });
      return [part, stats.cpu_stats.cpu_usage.total_usage / 1000] as const;
    });
    return Object.fromEntries(await Promise.all(used)) as Record<Part, number>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#project[Symbol.asyncDispose]();
  }
}

async function place(project: Project, podService: string): Promise<Place> {
  const idOf = async (service: string): Promise<string> => {
    const [container] = await project.containers(service);
    if (!container) throw new Error(`${service} has no container`);
    return container.id;
  };
  const name = podService.replace(/-?pod$/, '');
  const pod = await idOf(podService);
  const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  const address = (await docker(['inspect', '--format', format, pod])).trim();
  const app = await idOf(name || 'app');
  const proxy = await idOf(name ? `${name}-proxy` : 'proxy');
  return { pod, url: `http://${address}`, containers: { app, proxy, mysql: await idOf('mysql') } };
}

async function untilReady(url: string): Promise<void> {
  const end = performance.now() + READY_MS;
  let reason: unknown;
  while (performance.now() < end) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
      await response.arrayBuffer();
      if (response.ok) return;
      reason = response.status;
    } catch (error) {
      reason = error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`${url} was not ready within ${READY_MS} ms`, { cause: reason });
}
