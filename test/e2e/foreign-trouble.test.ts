import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../support/containers.ts';
import {
  answer,
  buildForeign,
  foreignUp,
  inService,
  releasesSeen,
  underForeignLoad,
  upstreamList,
  versionSeen,
} from '../support/foreign.ts';
import type { Project } from '../support/project.ts';
import { assertNothingLost } from '../support/under-load.ts';

/** What may go wrong around an image that knows nothing of tasuki; it ends at once on SIGTERM, in the middle of an answer. */

const KIND = 'go';
const BACK_MS = 60_000;

describe('an image that knows nothing of tasuki', () => {
  let project: Project;
  let v1: string;
  let v2: string;
  before(async () => {
    [v1, v2] = [await buildForeign(KIND, 'v1'), await buildForeign(KIND, 'v2')];
    project = await foreignUp(v1);
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** The release that serves, and that it answers with its version. */
  async function servingRelease(version: string): Promise<string> {
    const { record } = await project.status();
    await eventually(`${version} answers`, async () => (await versionSeen(project)) === version, BACK_MS);
    return record?.serving ?? '';
  }

  it('never meets a user when it does not become healthy, and the error says what was asked, what came, and what to change', async (t) => {
    const faults = {
      unhealthy: /\/health answered 500: no database/,
      loopback:
        /it listens on 127\.0\.0\.1:3000, its own loopback, which only it can reach: let it listen on/,
      port: /it listens on port 4000, and the proxy asks port 3000: correct APP_ADDRESS of services\.proxy/,
      crashes: /ended by itself \(exit code 1\)|crashes/,
    };
    const result = await underForeignLoad(project, KIND, async (load) => {
      await load.until((counters) => counters.answered > 100, 30_000);
      for (const [fault, said] of Object.entries(faults)) {
        const image = await buildForeign(KIND, `bad-${fault}`, fault);
        const { exitCode, stdout, stderr } = await project.deploy('--image', image, '--timeout', '3s');
        assert.equal(exitCode, 1, `${fault}: ${stdout}${stderr}`);
        assert.match(stdout + stderr, said);
      }
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
    assert.deepEqual(
      releasesSeen(result.report).filter((one) => one !== 'initial'),
      [],
    );
    assert.equal((await project.containers()).length, 1, 'nothing is left of them');
  });

  it('is healthy when its health path redirects, and the step says so', async () => {
    const { events } = await project.deployOk(
      '--image',
      await buildForeign(KIND, 'bad-redirects', 'redirects'),
      '--json',
    );
    const details = events.flatMap((one) => (one.type === 'step' && 'detail' in one ? [one.detail] : []));
    assert.ok(
      details.some((detail) => /^\/health 302 in \d+ ms$/.test(detail ?? '')),
      details.join('\n'),
    );
  });

  it('that has no page at the default health path is refused, and the error says what to set', async () => {
    const compose = await project.read('compose.yaml');
    const file = join(project.folder, 'compose.yaml');
    await writeFile(file, compose.replace(/^ {2}health: .*\n/m, ''));
    const { exitCode, stdout, stderr } = await project.deploy('--image', v2, '--timeout', '3s');
    assert.equal(exitCode, 1);
    assert.match(stdout + stderr, /\/readyz answered 404: 404 page not found/);
    assert.match(stdout + stderr, /x-deploy\.health names the path that is asked \(\/readyz\)/);
    await writeFile(file, compose);
    await project.deployOk('--image', v2);
    assert.equal(await versionSeen(project), 'v2');
  });

  it('can be held, looked at, given up, and admitted', async () => {
    const held = await project.deployOk('--image', v1, '--hold', '--json');
    assert.equal(await versionSeen(project), 'v2', 'nobody meets it');
    const event = held.events.find((one) => one.type === 'held');
    assert.ok(event?.type === 'held');
    const shown = async (): Promise<string> =>
      (await answer(project, '/', { 'x-tasuki-preview': event.token })).text;
    assert.match(await shown(), /<p>v1<\/p>/);
    await project.deployOk('abort');
    assert.equal((await answer(project, '/', { 'x-tasuki-preview': event.token })).status, 410);
    await project.deployOk('--image', v1, '--hold');
    assert.match((await project.deployOk('preview')).stdout, /nobody sees it without this/);
    await project.deployOk('admit');
    assert.equal(await versionSeen(project), 'v1');
    assert.deepEqual(await project.upChanges(), []);
    assert.equal(await inService(project, 'pod', ['ls', '/run/tasuki/preview']), '', 'no way in is left');
  });

  it('is refused what it cannot do, before anything is done', async () => {
    const pause = await project.deploy('pause');
    assert.equal(pause.exitCode, 2);
    assert.match(pause.stderr + pause.stdout, /the image cannot let requests wait.*\n.*maintenance on/s);
    const canary = await project.deploy('--image', v2, '--canary', '10%');
    assert.equal(canary.exitCode, 2);
    assert.match(canary.stderr + canary.stdout, /does not go with x-deploy\.strategy: upstream/);
  });

  it('has a status, a history, a log and a page for maintenance like any other', async () => {
    const { stdout } = await project.deployOk('status');
    assert.match(stdout, /^ {2}serving +\S+ +\S*foreign-go-v1 .*\n?/m);
    assert.match(stdout, /^ {2}parked +\S+ +\S*foreign-go-v2/m);
    assert.match((await project.deployOk('history')).stdout, /foreign-go-v1/);
    await project.deployOk('logs');
    await project.deployOk('maintenance', 'on');
    assert.equal((await answer(project)).status, 503);
    await project.deployOk('maintenance', 'off');
    assert.equal((await answer(project)).status, 200);
    await project.deployOk('resume');
  });

  it('may have several containers, each of which answers, and loses nothing when one goes again', async (t) => {
    const result = await underForeignLoad(project, KIND, async () => {
      await project.deployOk('--image', v2, '--scale', 'app=2');
      const { record } = await project.status();
      const two = (await upstreamList(project))
        .split(' ')
        .filter((one) => one.startsWith(`${record?.serving}=`));
      assert.equal(two.length, 2);
      assert.deepEqual(await project.upChanges(), []);
      await project.deployOk('--image', v1, '--scale', 'app=1');
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('is deployed and taken back without a wait between', async (t) => {
    const result = await underForeignLoad(project, KIND, async () => {
      await project.deployOk('--image', v2);
      await project.deployOk('rollback');
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result);
  });

  it('comes back by itself when its process is killed', async () => {
    const release = await servingRelease('v1');
    const one = (await project.status()).instances.find((i) => i.visible);
    const pid = Number(await docker(['inspect', '--format', '{{.State.Pid}}', one?.id ?? '']));
    process.kill(pid, 'SIGKILL'); // `docker kill` would count as a stop by hand
    await eventually(
      'it answers again',
      async () => (await answer(project)).release === release && (await versionSeen(project)) === 'v1',
      BACK_MS,
    );
  });

  it('is found when it comes back with another address', async () => {
    const release = await servingRelease('v1');
    const one = (await project.status()).instances.find((i) => i.visible);
    const was = await upstreamList(project);
    const fillers = [];
    await docker(['stop', '-t', '2', one?.id ?? '']);
    try {
      const network = `${project.name}_default`;
      for (let n = 0; n < 2; n++)
        fillers.push((await docker(['run', '-d', '--network', network, v1])).trim());
      await docker(['start', one?.id ?? '']);
      await eventually('it is found', async () => (await answer(project)).release === release, BACK_MS);
      await eventually('the list has its new address', async () => (await upstreamList(project)) !== was);
    } finally {
      await docker(['rm', '-f', ...fillers]);
    }
  });

  it('serves as before when the proxy is restarted, and when the whole stack is taken down and up', async () => {
    const release = await servingRelease('v1');
    await project.compose('restart', '-t', '5', 'proxy');
    await eventually('it answers', async () => (await answer(project)).release === release, BACK_MS);
    await project.compose('down', '--remove-orphans');
    await project.compose('up', '-d', '--no-build');
    await eventually('it answers', async () => (await answer(project)).release === release, BACK_MS);
    assert.deepEqual(
      (await project.status()).instances.map((one) => [one.release, one.state?.phase]),
      [[release, 'serving']],
    );
    await project.deployOk('--image', v2);
    await project.deployOk('rollback');
  });
});
