import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { execa } from 'execa';
import type { HistoryEntry } from '../../deployer/store/history.ts';
import type { Report } from '../../deployer/store/report.ts';
import { docker } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';

const REVISION = '0123456789abcdef0123456789abcdef01234567';

describe('the history', () => {
  let project: Project;
  let tag: string;
  let old: string;
  let other: string;
  before(async () => {
    const [v2 = '', v3 = ''] = await buildReleases('v2', 'v3');
    project = await Project.up('tasuki-test:v1', { hasty: true });
    tag = `tasuki-test:${project.name}`;
    const label = `org.opencontainers.image.revision=${REVISION}`;
    await execa('docker', ['build', '-q', '-t', tag, '--label', label, '-'], { input: `FROM ${v2}\n` });
    [old, other] = [await idOf(tag), await idOf(v3)];
  });
  after(async () => {
    await project?.[Symbol.asyncDispose]();
    await docker(['rmi', tag, old]).catch(() => {});
  });

  const idOf = async (name: string): Promise<string> =>
    (await docker(['image', 'inspect', '--format', '{{.Id}}', name])).trim();
  async function servingImage(): Promise<string> {
    const serving = (await project.status()).instances.find(({ visible }) => visible);
    return (await docker(['inspect', '--format', '{{.Image}}', serving?.id ?? ''])).trim();
  }
  const listed = async (): Promise<HistoryEntry[]> =>
    (await project.deployOk('history', '--json')).stdout
      .split('\n')
      .map((line) => JSON.parse(line) as HistoryEntry);

  it('leads back to any release by its image, though the tag has moved on', async () => {
    await project.deployOk('--image', tag);
    const release = (await project.answering()) ?? '';
    assert.equal(await servingImage(), old);
    const [entry] = await listed();
    assert.deepEqual([entry?.release, entry?.imageId, entry?.revision], [release, old, REVISION]);

    await docker(['tag', other, tag]);
    // Two more, so that it is not parked any more.
    for (const image of [tag, 'tasuki-test:v1']) await project.deployOk('--image', image);
    assert.equal((await listed())[1]?.imageId, other, '(control) by its tag it would get the other image');
    await project.deployOk('rollback', release);
    assert.equal(await servingImage(), old);
    assert.deepEqual(await project.upChanges(), [], 'Compose must take the id for what serves');
  });

  it('tells all of a run: image, revision, steps with their times, requests, and what was drained', async () => {
    const release = (await project.answering()) ?? '';
    const { stdout } = await project.deployOk('history', release);
    assert.match(stdout, new RegExp(`rollback +done .*revision ${REVISION.slice(0, 12)}`));
    assert.match(stdout, new RegExp(`image: {3}${old}$`, 'm'));
    assert.match(stdout, /\(boot \S+ m?s, switch \S+ m?s, after it \S+ m?s\)/);
    assert.match(stdout, /drain \S+ \(.*\): \d+ requests answered while leaving, \d+ cut/);
    assert.match(stdout, /sent \d+, failed 0, slowest/);
    const report = JSON.parse((await project.deployOk('history', release, '--json')).stdout) as Report;
    assert.deepEqual([report.type, report.version, report.command], ['report', 1, 'rollback']);
    assert.deepEqual([report.imageId, report.revision, report.outcome], [old, REVISION, 'done']);
    const { reversible, pivot, forward } = report.plan ?? assert.fail('no plan');
    assert.equal(pivot?.id, 'promote');
    const planned = [...reversible, pivot, ...forward];
    assert.deepEqual(
      report.steps.map(({ id }) => id),
      planned.map(({ id }) => id),
    );
    assert.ok(report.probe && report.probe.sent > 0);
  });

  it('leads back to what is parked, though its tag names the next release by now', async () => {
    await docker(['tag', old, tag]);
    await project.deployOk('--image', tag);
    await docker(['tag', other, tag]);
    await project.deployOk('--image', tag);
    assert.equal(await servingImage(), other);
    await project.deployOk('rollback');
    assert.equal(await servingImage(), old);
    assert.deepEqual(await project.upChanges(), [], 'Compose must take the id for what serves');
    await project.deployOk('rollback');
    assert.equal(await servingImage(), other, 'and forward again');
    await project.deployOk('rollback');
  });

  it('knows no other release, and says where to look', async () => {
    const { exitCode, stderr } = await project.deploy('history', 'r0');
    assert.equal(exitCode, 2);
    assert.match(stderr, /^error: this machine's history knows no release r0$/m);
    assert.match(stderr, /^ {2}next: {2}deploy history/m);
  });
});
