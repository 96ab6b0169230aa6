import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';

/** Longer than the deploy needs to its end, short enough to wait for. */
const KEEP = '8s';

describe('a parked release with an end to its time', { timeout: 300_000 }, () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2', 'v3');
    project = await Project.up('tasuki-test:v1', { hasty: true });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  const parked = async () => (await project.containers()).find((one) => one.name.includes('-parked-'));

  it('is warm for a rollback until then, and leaves by itself when no command runs any more', async () => {
    await project.deployOk('--image', 'tasuki-test:v2', '--keep', KEEP);
    assert.match((await project.deployOk('status')).stdout, /parked +initial .*, until 20\S+Z/);
    assert.equal((await parked())?.state, 'running');
    const ended = async (): Promise<boolean> => (await parked())?.state === 'exited';
    await eventually('it has left', ended, 30_000);
    assert.match((await parked())?.status ?? '', /^Exited \(0\)/);
    const doctor = await project.deploy('doctor');
    assert.equal(doctor.exitCode, 0, doctor.stdout);
    assert.doesNotMatch(doctor.stdout, /left-over/);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('is deployed again by a rollback that comes later, and its container goes with the next run', async () => {
    await project.deployOk('rollback');
    const serving = (await project.containers()).filter(
      (one) => one.state === 'running' && !one.name.includes('-parked-'),
    );
    assert.deepEqual(
      serving.map(({ image }) => image),
      ['tasuki-test:v1'],
    );
    assert.ok(
      (await project.containers()).every((one) => one.state === 'running'),
      'nothing that has ended is left',
    );
  });

  it('stays when it serves by then, and (control) without an end it is not made to leave', async () => {
    await project.deployOk('--image', 'tasuki-test:v3', '--keep', KEEP);
    const until = Date.now() + 8000;
    const { record } = await project.status();
    await project.deployOk('rollback');
    assert.equal((await project.answering()) === record?.serving, false);
    const over = async (): Promise<boolean> => Date.now() > until + 2000;
    await eventually('its time is over', over, 30_000);
    assert.notEqual(await project.answering(), null);
    assert.equal(
      (await parked())?.state,
      'running',
      'the one before was parked by a rollback without an end',
    );
  });
});
