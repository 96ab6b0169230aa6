import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { docker, eventually } from '../support/containers.ts';
import { handOver } from '../support/handovers.ts';
import { killTheServing } from '../support/kill-serving.ts';
import { buildReleases, Project } from '../support/project.ts';
import { Visitors } from '../support/tls-visitors.ts';
import { assertNothingLost, SATURATING, STEADY, underLoad } from '../support/under-load.ts';

/** What tasuki promises, with h2o in front: one stack for all of it. */

const HANDOVERS = 4;
const RELOADS = 5;

describe('with PROXY=h2o', { timeout: 600_000 }, () => {
  let project: Project;
  let images: string[];
  let tlsUrl: string;
  before(async () => {
    images = await buildReleases('v2', 'v3');
    project = await Project.up('tasuki-test:v1', { proxy: 'h2o' });
    const port = (await project.compose('port', 'pod', '443')).split(':').at(-1)?.trim();
    tlsUrl = `https://127.0.0.1:${port}/`;
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  /** How often the proxy has written this. */
  async function said(text: string): Promise<number> {
    return (await project.compose('logs', 'proxy')).split(text).length - 1;
  }
  /** One of the project's containers of the proxy: there is one. */
  async function proxyContainer(): Promise<{ id: string; image: string }> {
    const [one] = await project.containers('proxy');
    assert.ok(one);
    return one;
  }

  it('deploys and rollbacks under saturating load lose no request, do none twice, and leave Compose nothing to do', async (t) => {
    const first = await proxyContainer();
    assert.match(first.image, /^tasuki-h2o:/);
    const result = await underLoad(project, SATURATING, async (load) => {
      await load.until((counters) => counters.sent > 1000, 30_000);
      await handOver(project, load, images, HANDOVERS, async () => {
        assert.deepEqual(await project.upChanges(), []);
      });
    });
    t.diagnostic(result.judgement.summary);
    assertNothingLost(result, 3000);
    assert.ok(Object.keys(result.report.byRelease).length > HANDOVERS / 2);
    assert.equal((await proxyContainer()).id, first.id);
  });

  it('HUP replaces h2o under load: new connections, kept ones, an idle one and HTTP/2 lose nothing', async (t) => {
    const idle = net.connect(project.port, '127.0.0.1').setEncoding('utf8');
    const get = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
    idle.write(get);
    await once(idle, 'data');
    await using visitors = new Visitors(tlsUrl);
    const result = await underLoad(project, STEADY, async (load) => {
      for (let n = 1; n <= RELOADS; n++) {
        const { answered } = await load.counters();
        await load.until((counters) => counters.answered > answered + 300, 30_000);
        await project.compose('kill', '-s', 'HUP', 'proxy');
        await eventually(
          'the next h2o has taken over',
          async () => (await said('killing old workers')) === n,
        );
      }
      const { answered } = await load.counters();
      await load.until((counters) => counters.answered > answered + 300, 30_000);
    });
    idle.write(get);
    const [answer] = (await once(idle, 'data')) as [string];
    assert.match(answer, /^HTTP\/1.1 200 [^]*Connection: close/i, 'the first h2o has waited for it');
    const { failed, answered } = await visitors.end();
    t.diagnostic(`${result.judgement.summary}; with TLS ${JSON.stringify(answered)}`);
    assert.deepEqual(failed, []);
    for (const [kind, count] of Object.entries(answered)) assert.ok(count > 50, `${kind}: ${count}`);
    assertNothingLost(result, 1000);
    await eventually('those before have left', async () => (await said('old worker ')) >= RELOADS, 30_000);
  });

  it('(control) a restart in its place loses requests of the same clients', async () => {
    await using visitors = new Visitors(tlsUrl);
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until((counters) => counters.sent > 300, 30_000);
      await docker(['restart', '--time', '1', (await proxyContainer()).id]);
      await project.untilAnswering(30_000);
    });
    assert.equal(result.judgement.ok, false);
    assert.notEqual((await visitors.end()).failed.length, 0);
  });

  it('a held release is seen with its token alone, also during maintenance, and nobody loses a request', async () => {
    const former = await project.answering();
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(`${project.url}/`, { headers, signal: AbortSignal.timeout(10_000) });
      return {
        status: response.status,
        release: response.headers.get('x-release'),
        text: await response.text(),
      };
    };
    const result = await underLoad(project, { ...STEADY, mode: { rate: 60 } }, async () => {
      await project.deployOk('--image', 'tasuki-test:v3', '--hold');
      const { link } = JSON.parse((await project.deployOk('preview', '--json')).stdout) as { link: string };
      const token = new URL(link).pathname.split('/').at(-1) ?? '';
      const held = await ask({ 'x-tasuki-preview': token });
      assert.equal(held.status, 200);
      assert.notEqual(held.release, former);
      assert.equal((await ask({ cookie: `a=b; tasuki_preview=${token}` })).release, held.release);
      assert.equal((await ask({})).release, former);
      assert.equal((await ask({ 'x-tasuki-preview': 'x'.repeat(24) })).status, 410);
      await project.deployOk('admit');
      assert.equal((await ask({})).release, held.release);
    });
    assertNothingLost(result, 100);
    await writeFile(join(project.folder, 'down.html'), '<h1>Moving house</h1>');
    await project.deployOk('maintenance', 'on', '--page', 'down.html');
    const down = await ask({ accept: 'text/html' });
    assert.deepEqual([down.status, down.text], [503, '<h1>Moving house</h1>']);
    assert.ok(await project.answering(), 'the probe reaches the app');
    await project.deployOk('maintenance', 'off');
    assert.equal((await ask({ accept: 'text/html' })).status, 200);
  });

  it('while the release that serves is dead the parked one answers, and nothing is done twice', async (t) => {
    const { report, judgement } = await killTheServing(project, 1);
    t.diagnostic(judgement.summary);
    const answered = Object.values(report.byRelease).filter((one) => one.answered > 50);
    assert.equal(answered.length, 2, JSON.stringify(report.byRelease));
    // h2o sends nothing again: also a GET that had been sent to the dead one, or that came in the moment before h2o looked. And a
    // chunked answer that is cut between two chunks looks whole to it.
    for (const one of report.failures)
      assert.match(one.error, /^(http-502|truncated|no-ending)$/, JSON.stringify(one));
    assert.ok(report.failed < 50, 'all failures are among those looked at');
    assert.deepEqual([judgement.duplicated, judgement.missing], [[], []]);
  });

  it('the other proxy takes its place and gives it back, and nothing else is touched', async () => {
    const serving = await project.answering();
    for (const [proxy, image] of [
      ['nginx', /^nginx:/],
      ['h2o', /^tasuki-h2o:/],
    ] as const) {
      await project.setVariable('PROXY', proxy);
      const changed = (await project.upChanges()).map((line) => line.split(' ')[0]);
      assert.deepEqual([...new Set(changed)], [`/${project.name}-proxy-1`]);
      await project.untilAnswering(10_000);
      assert.match((await proxyContainer()).image, image);
      assert.equal(await project.answering(), serving);
      assert.deepEqual(await project.upChanges(), []);
    }
  });
});
