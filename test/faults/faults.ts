import assert from 'node:assert/strict';
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { docker, eventually } from '../support/containers.ts';
import { restartEngine } from '../support/engine.ts';
import type { Project } from '../support/project.ts';

/** Where a fault strikes: a deploy that is on its way. */
export interface Scene {
  project: Project;
  deploy: ReturnType<Project['spawnDeploy']>;
  /** The release it brings, and the one that served when it began. */
  next: string;
  old: string;
  /** True once the command has ended. */
  ended: () => boolean;
}

export interface Fault {
  name: string;
  /** Answers false when there is nothing to strike any more, or will never be. */
  strike: (scene: Scene) => Promise<boolean>;
  /** Puts right what a person would; not what tasuki itself has to. */
  heal?: (scene: Scene) => Promise<void>;
  /** Requests that fail while it lasts without anybody having lost them: the app refuses what needs the database. */
  refuses?: RegExp;
}

const STOPPED_MS = 10_000;
const DATABASE_DOWN_MS = 3000;
const MEMORY_LIMIT = '512m';
/** Of 4 KiB: more than the disk of a test holds. */
const MAX_BLOCKS = 10_000;

/** Process 1 of the running container of a release, or null when there is none; as seen from the host. */
async function processOf({ project }: Scene, release: string): Promise<{ id: string; pid: number } | null> {
  const format = '{{.State.Pid}} {{range .Config.Env}}{{println .}}{{end}}';
  const running = (await project.containers()).filter(({ state }) => state === 'running');
  for (const { id } of running.toReversed()) {
    const text = await docker(['inspect', '--format', format, id]).catch(() => '');
    const given = /^RELEASE=(.*)$/m.exec(text)?.[1] || 'initial';
    if (given === release) return { id, pid: Number.parseInt(text, 10) };
  }
  return null;
}

/** The process of the release that is being deployed, as soon as there is one; null when the command ends before. */
async function nextProcess(scene: Scene): Promise<{ id: string; pid: number } | null> {
  const found = await eventually(
    'the new instance runs',
    async () => (await processOf(scene, scene.next)) ?? (scene.ended() ? 'none' : null),
    60_000,
  );
  return found === 'none' ? null : found;
}

/** `docker kill` would count as a stop by hand, after which the engine starts nothing again. */
function crash(found: { pid: number } | null): boolean {
  return found !== null && process.kill(found.pid, 'SIGKILL');
}

/**
 * Takes away the memory that is free in a container, and starts one more process in it: the kernel then kills the largest, which
 * is one of the app's. False when nothing was killed.
 */
async function starve(id: string): Promise<boolean> {
  const kills = async (): Promise<number> => {
    const events = ['events', '--since', '10m', '--until', '0s', '--filter', `container=${id}`];
    return (await docker([...events, '--filter', 'event=oom'])).split('\n').filter(Boolean).length;
  };
  const before = await kills();
  const stats = await docker(['stats', '--no-stream', '--format', '{{.MemUsage}}', id]);
  const limit = `${Math.ceil(Number.parseFloat(stats)) + 4}m`; // "83.1MiB / 512MiB"
  await docker(['update', '--memory', limit, '--memory-swap', limit, id]).catch(() => {}); // it has grown meanwhile
  await docker(['exec', id, 'node', '-e', '0']).catch(() => {}); // 40 MB, which are not there
  return await eventually('a kill', async () => (await kills()) > before, 2000).catch(() => false);
}

/** Leaves no byte in the folder of the project (its `.env`, journal and history) nor in the volume of the record, or frees both. */
async function fill(project: Project, full: boolean): Promise<void> {
  const [pod] = await project.containers('pod');
  const inPod = '/run/tasuki/.filler';
  const filler = join(project.folder, '.filler');
  if (!full) {
    await docker(['exec', pod?.id ?? '', 'rm', '-f', inPod]);
    return await rm(filler, { force: true });
  }
  const block = Buffer.alloc(4096);
  // Until the system says that there is no space left.
  await assert.rejects(async () => {
    for (let n = 0; n < MAX_BLOCKS; n++) await appendFile(filler, block);
  }, /ENOSPC/);
  await execa('docker', ['exec', pod?.id ?? '', 'dd', 'if=/dev/zero', `of=${inPod}`, 'bs=4k'], {
    reject: false, // dd ends with "no space left"
    timeout: 10_000,
  });
}

/** False where the clock is not ours to set. */
async function shiftClock(seconds: number): Promise<boolean> {
  const to = `@${(Date.now() / 1000 + seconds).toFixed(3)}`;
  return (await execa('date', ['-s', to], { reject: false, timeout: 5000 })).exitCode === 0;
}

export const FAULTS: Fault[] = [
  {
    name: 'deployer SIGKILL',
    strike: async ({ deploy }) => deploy.kill('SIGKILL'),
  },
  {
    name: 'deployer SIGSTOP 10 s',
    strike: async ({ deploy }) => deploy.kill('SIGSTOP'),
    heal: async ({ deploy }) => {
      await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
      deploy.kill('SIGCONT');
    },
  },
  {
    name: 'new instance SIGKILL',
    strike: async (scene) => crash(await nextProcess(scene)),
  },
  {
    name: 'new instance OOM',
    strike: async (scene) => {
      const found = await nextProcess(scene);
      return found !== null && (await starve(found.id).catch(() => false)); // it may be gone meanwhile
    },
    heal: async ({ project }) => {
      const ids = (await project.containers()).map(({ id }) => id);
      await docker(['update', '--memory', MEMORY_LIMIT, '--memory-swap', '1g', ...ids]);
    },
  },
  {
    name: 'old instance SIGKILL',
    strike: async (scene) => crash(await processOf(scene, scene.old)),
  },
  {
    name: 'engine restart',
    strike: async () => {
      await restartEngine({ containersGoOn: true });
      return true;
    },
  },
  {
    name: 'disk full',
    strike: async ({ project }) => {
      await fill(project, true);
      return true;
    },
    heal: async ({ project }) => await fill(project, false),
  },
  {
    name: 'database down',
    strike: async ({ project }) => {
      const [mysql] = await project.containers('mysql');
      await docker(['stop', '-t', '20', mysql?.id ?? '']);
      return true;
    },
    heal: async ({ project }) => {
      await new Promise((resolve) => setTimeout(resolve, DATABASE_DOWN_MS));
      const [mysql] = await project.containers('mysql');
      await docker(['start', mysql?.id ?? '']);
    },
    refuses: /^http-503$/,
  },
  {
    name: 'clock +1 h',
    strike: async () => await shiftClock(3600),
    heal: async () => void (await shiftClock(-3600)),
  },
];
