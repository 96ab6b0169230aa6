import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../support/containers.ts';
import { assertLoad } from '../support/load/index.ts';
import type { RequestRecord } from '../support/load/options.ts';
import { Project } from '../support/project.ts';
import { SATURATING, underLoad } from '../support/under-load.ts';

const KILLS = 3;
const REPLACED_MS = 30_000;
/** From the signal until the proxy has noticed that its connections are gone; what it sent meanwhile is gone with them. */
const NOTICED_MS = 500;

describe('a child that is killed under load', () => {
  let project: Project;
  let app: string;
  before(async () => {
    project = await Project.up('tasuki-test:v1');
    app = (await project.containers('app'))[0]!.id;
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** Ids, on this machine, of the processes that serve: children of the supervisor. */
  async function children(): Promise<number[]> {
    const lines = (await docker(['top', app, '-o', 'pid,ppid'])).trim().split('\n').slice(1);
    const processes = lines.map((line) => line.trim().split(/\s+/).map(Number));
    const supervisor = processes.find(([, parent]) => !processes.some(([pid]) => pid === parent))?.[0];
    return processes.filter(([, parent]) => parent === supervisor).map(([pid]) => pid!);
  }

  it('takes only the requests with it that it had accepted, each named, and is replaced', async (t) => {
    const killed: string[] = [];
    const { report, judgement, kernel } = await underLoad(project, SATURATING, async (load) => {
      for (let n = 1; n <= KILLS; n++) {
        const { sent } = await load.counters();
        await load.until((counters) => counters.sent > sent + 1000, REPLACED_MS);
        const all = await children();
        assert.equal(all.length, 2);
        process.kill(all[0]!, 'SIGKILL');
        await load.mark(`killed ${n}`);
        killed.push(`killed ${n}`);
        await eventually(
          'another child is in its place',
          async () => {
            const now = await children();
            return now.length === 2 && !now.includes(all[0]!);
          },
          REPLACED_MS,
        );
      }
      const { sent } = await load.counters();
      await load.until((counters) => counters.sent > sent + 1000, REPLACED_MS);
    });
    assertLoad(report, { atLeast: 2000, updates: 100 });

    const moments = report.intervals.filter(({ label }) => killed.includes(label)).map(({ atMs }) => atMs);
    assert.equal(moments.length, KILLS);
    const failures = (await readFile(report.files.failed, 'utf8')).split('\n').filter(Boolean);
    const failed = failures.map((line) => JSON.parse(line) as RequestRecord);
    assert.equal(failed.length, report.failed, 'each is named');
    for (const one of failed) {
      const { startMs, latencyMs } = one;
      const under = moments.some((at) => startMs < at + NOTICED_MS && startMs + latencyMs > at - NOTICED_MS);
      assert.ok(under, `was not under way when a child was killed: ${JSON.stringify(one)}`);
    }
    const told = new Set(failed.map(({ id }) => id));
    const silently = judgement.lost.filter((id) => !told.has(id));
    assert.deepEqual(silently, [], 'no update is gone whose sender was not told');
    assert.deepEqual([judgement.duplicated, judgement.missing, kernel], [[], [], []]);
    t.diagnostic(`${KILLS} children killed: ${judgement.summary}`);
    t.diagnostic(failed.map(({ id, method, kind, error }) => `${method} ${kind} ${id} ${error}`).join(', '));

    const log = await docker(['logs', (await project.containers('proxy'))[0]!.id]);
    for (const { id } of failed) assert.ok(log.includes(id), `${id} is not in the proxy's log`);
  });
});
