import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { endRest, setShare } from '../../deployer/engine/weight.ts';
import { docker } from '../support/containers.ts';

/** The weight of a process's control group for the CPU, as the kernel has it; version 2, else version 1. */
function weightOf(pid: number): number {
  return Number(readFileSync(fileOf(pid), 'utf8'));
}

/** Whether it gets only what nobody else wants. */
function isIdle(pid: number): boolean {
  return readFileSync(join(dirname(fileOf(pid)), 'cpu.idle'), 'utf8').trim() === '1';
}

function fileOf(pid: number): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const [, unified = ''] = /^0::(.*)$/m.exec(groups) ?? [];
  const file = `/sys/fs/cgroup${unified}/cpu.weight`;
  if (existsSync(file)) return file;
  const [, controllers = '', path = ''] = /^\d+:((?:\w+,)*cpu(?:,\w+)*):(.*)$/m.exec(groups) ?? [];
  return `/sys/fs/cgroup/${controllers}${path}/cpu.shares`;
}

describe('the CPU weight of a container', { timeout: 60_000 }, () => {
  let id: string;
  let pid: number;
  before(async () => {
    id = (await docker(['run', '-d', '--network', 'none', 'node:26-trixie-slim', 'sleep', '60'])).trim();
    pid = Number(await docker(['inspect', '--format', '{{.State.Pid}}', id]));
  });
  after(async () => await docker(['rm', '-f', id]));

  it('is multiplied, and put back to exactly what it was', async () => {
    const own = weightOf(pid);
    const restore = await setShare(pid, id, 8);
    assert.ok(restore, 'it must be possible here');
    assert.equal(weightOf(pid), own * 8);
    assert.equal(await restore(), true);
    assert.equal(weightOf(pid), own);
  });

  it('is the rest, and then exactly what it was', async () => {
    const own = weightOf(pid);
    const restore = await setShare(pid, id, 'rest');
    assert.ok(restore, 'it must be possible here');
    assert.equal(isIdle(pid), true);
    assert.equal(await restore(), true);
    assert.deepEqual([isIdle(pid), weightOf(pid)], [false, own]);
  });

  it('is its own again when whoever gave it the rest is dead', async () => {
    const own = weightOf(pid);
    assert.equal(await endRest(pid, id), false, 'nothing to end yet');
    await setShare(pid, id, 'rest');
    assert.equal(await endRest(pid, id), true);
    assert.deepEqual([isIdle(pid), weightOf(pid)], [false, own]);
  });

  it('stays within what the kernel takes', async () => {
    const own = weightOf(pid);
    for (const factor of [1e-9, 1e9]) {
      const restore = await setShare(pid, id, factor);
      assert.ok(restore);
      assert.notEqual(weightOf(pid), own);
      assert.equal(await restore(), true);
    }
    assert.equal(weightOf(pid), own);
  });

  it('is not touched for a process of another container, whatever its number', async () => {
    const own = weightOf(process.pid);
    assert.equal(await setShare(process.pid, id, 8), null);
    assert.equal(weightOf(process.pid), own);
  });

  it('(control) is not called put back when it cannot be', async () => {
    const other = (
      await docker(['run', '-d', '--network', 'none', 'node:26-trixie-slim', 'sleep', '60'])
    ).trim();
    const restore = await setShare(
      Number(await docker(['inspect', '--format', '{{.State.Pid}}', other])),
      other,
      8,
    );
    await docker(['rm', '-f', other]);
    assert.equal(await restore?.(), false);
  });
});
