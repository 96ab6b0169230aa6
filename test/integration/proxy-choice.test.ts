import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { execa } from 'execa';
import { docker, eventually } from '../support/containers.ts';
import { answer, buildForeign, foreignUp, inService, upstreamList, versionSeen } from '../support/foreign.ts';
import type { Project } from '../support/project.ts';

/** How the proxy finds releases that have addresses of their own: proxy/common/upstream.sh in the real nginx. */

const SCRIPT = '/etc/proxy-common/upstream.sh';

describe('the proxy that chooses between releases', () => {
  let project: Project;
  let image: string;
  let made: string[] = [];
  before(async () => {
    image = await buildForeign('go', 'v1');
    project = await foreignUp(image);
  });
  beforeEach(async () => {
    await docker(['rm', '-f', ...made, `${project.name}-none`]).catch(() => {});
    made = [];
    await list();
    await eventually('the release of Compose answers', async () => (await versionSeen(project)) === 'v1');
  });
  after(async () => {
    if (made.length) await docker(['rm', '-f', ...made]);
    await project?.[Symbol.asyncDispose]();
  });

  /** A container that has the name, and says it on its page (or another word). */
  async function release(name: string, says = name): Promise<string> {
    const words = ['run', '-d', '--network', `${project.name}_default`, '--network-alias', name];
    const id = (await docker([...words, '-e', `VERSION=${says}`, image])).trim();
    made.push(id);
    return id;
  }
  async function list(...names: string[]): Promise<void> {
    const text = names.map((name) => `${name}\\n`).join('');
    const put = `printf '${text}' > /run/tasuki/upstream.new && mv /run/tasuki/upstream.new /run/tasuki/upstream`;
    await inService(project, 'pod', ['sh', '-c', put]);
  }
  const run = async (...words: string[]): Promise<string> =>
    (await inService(project, 'proxy', [SCRIPT, ...words])).trim();

  it('goes to the service that Compose has started while nobody is on the list, and names no release', async () => {
    assert.deepEqual([(await answer(project)).release, await versionSeen(project)], [null, 'v1']);
  });

  it('goes to the first on the list from the end of `switch` on, and says which release that is', async () => {
    await Promise.all([release('r1'), release('r2')]);
    for (const [first, second] of [
      ['r1', 'r2'],
      ['r2', 'r1'],
      ['r1', 'r2'],
    ] as const) {
      await list(first, second);
      await run('switch');
      const seen = await Promise.all(Array.from({ length: 40 }, () => answer(project)));
      assert.deepEqual([...new Set(seen.map((one) => one.release))], [first]);
    }
  });

  it('notices by itself that the list has changed, and that a container has another address', async () => {
    const first = await release('r1');
    await list('r1');
    await eventually('it is in service', async () => (await versionSeen(project)) === 'r1');
    const was = await upstreamList(project);
    await docker(['stop', '-t', '1', first]);
    await release('filler'); // takes the address that has become free
    await docker(['start', first]);
    await eventually('it is found again', async () => (await versionSeen(project)) === 'r1');
    await eventually('under another address', async () => (await upstreamList(project)) !== was);
  });

  it('goes to the next on the list when the first is gone', async () => {
    const first = await release('r1');
    await release('r2');
    await list('r1', 'r2');
    await run('switch');
    await docker(['rm', '-f', first]);
    await eventually('the next answers', async () => (await answer(project)).release === 'r2');
    await eventually('the first is off the list', async () => !(await upstreamList(project)).includes('r1='));
  });

  it('does not go to a container of a release that is about to be stopped, and stays with the other', async () => {
    const [leaving] = [await release('r1', 'leaving'), await release('r1', 'staying')];
    await list('r1');
    await run('switch');
    await list('r1', `!${leaving.slice(0, 12)}`);
    await run('switch');
    const seen = await Promise.all(Array.from({ length: 40 }, () => versionSeen(project)));
    assert.deepEqual([...new Set(seen)], ['staying']);
  });

  it('lists several containers in an order of its own: Docker names them in another one each time', async () => {
    await Promise.all([release('r1'), release('r1'), release('r1')]);
    await list('r1');
    await run('switch');
    const was = await inService(project, 'proxy', ['cat', '/run/proxy/upstream.written']);
    for (let n = 0; n < 20; n++) await run('switch');
    assert.equal(await inService(project, 'proxy', ['cat', '/run/proxy/upstream.written']), was);
  });

  it('refuses to switch to a name that nobody has, says so, and goes on as it was', async () => {
    await release('r1');
    await list('r1');
    await run('switch');
    await list('nobody', 'r1');
    await assert.rejects(
      run('switch'),
      /Docker knows no address of the name nobody: its container must have it/,
    );
    assert.equal(await versionSeen(project), 'r1');
  });

  it('waits for requests that an older list has led to a release, and says when it is late', async () => {
    await Promise.all([release('r1'), release('r2')]);
    await list('r1');
    await run('switch');
    await run('left', '30');
    const slow = answer(project, '/slow?ms=3000');
    const busy = async (): Promise<boolean> =>
      (await inService(project, 'proxy', ['curl', '-s', 'http://127.0.0.1:8090/status'])).includes(
        'Writing: 2',
      );
    await eventually('the request is with the release', busy);
    await list('r2');
    await run('switch');
    assert.equal(await run('left', '1'), 'late');
    assert.equal(await run('left', '30'), 'left');
    const { status, release: from, text } = await slow;
    assert.deepEqual([status, from, text.trim().endsWith('done')], [200, 'r1', true]);
  });

  it('keeps its list while Docker names nobody: then the engine is being restarted, and everybody is where he was', async () => {
    const first = await release('r1');
    await list('r1');
    await run('switch');
    const [proxy] = await project.containers('proxy');
    const names = async (script: string): Promise<unknown> =>
      await execa('docker', ['exec', '-u', 'root', proxy?.id ?? '', 'sh', '-c', script]);
    await names('cp /etc/resolv.conf /tmp/resolv && echo nameserver 127.0.0.99 > /etc/resolv.conf');
    try {
      await assert.rejects(inService(project, 'proxy', ['getent', 'hosts', 'r1']), 'nobody is named');
      for (let n = 0; n < 5; n++) await inService(project, 'proxy', [SCRIPT, 'render']);
      assert.equal(await versionSeen(project), 'r1');
      await docker(['rm', '-f', first]);
      await inService(project, 'proxy', [SCRIPT, 'render']);
      assert.match(await upstreamList(project), /^r1=/);
    } finally {
      await names('cat /tmp/resolv > /etc/resolv.conf');
    }
    await eventually('with names again, it goes on', async () => (await versionSeen(project)) === 'v1');
  });
});
