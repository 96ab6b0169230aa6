import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assertNoneFailed, seenLine, underAllClients } from '../support/handover-clients.ts';
import { h2load } from '../support/h2load.ts';
import { buildReleases, Project } from '../support/project.ts';
import { buildNextProxy } from '../support/next-proxy.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const BODY = 8000;
const TEMPLATES = 'proxy/nginx/templates/http';

describe('the proxy itself', () => {
  let project: Project;
  let next: string;
  before(async () => {
    await buildReleases();
    next = await buildNextProxy();
    project = await Project.up('tasuki-test:v1', { hasty: true });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  const handOver = async (...args: string[]) => await project.deployOk('--service', 'proxy', ...args);
  const proxies = async (): Promise<string[]> =>
    (await project.containers('proxy')).map(({ name, image, state }) => `${name} ${image} ${state}`);

  /** Does `body` with a file changed, and puts it back. */
  async function withFile(
    file: string,
    change: (text: string) => string,
    body: () => Promise<void>,
  ): Promise<void> {
    const path = join(project.folder, file);
    const text = await readFile(path, 'utf8');
    assert.notEqual(change(text), text);
    await writeFile(path, change(text));
    try {
      await body();
    } finally {
      await writeFile(path, text);
    }
  }

  it('is handed over to another image and back, and no client of any kind loses a request', async (t) => {
    const seen = await underAllClients(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 1500, 60_000); // some rest longer than they are protected by now
      for (const image of [next, 'nginx:1.30']) {
        await handOver('--image', image);
        assert.match((await proxies()).join('\n'), new RegExp(`^\\S+ ${image} running$`));
        assert.match(await project.read('.env'), new RegExp(`^PROXY_IMAGE=${image}$`, 'm'));
        assert.deepEqual(await project.upChanges(), []);
      }
      await handOver();
    });
    t.diagnostic(seen.load.judgement.summary);
    t.diagnostic(seenLine(seen));
    assertNothingLost(seen.load);
    assertNoneFailed(seen);
    assert.equal(seen.load.report.extraResponses, 0);
  });

  it('cuts no stream of HTTP/2 that it has begun: h2load loses none but what a GOAWAY tells it to send again', async (t) => {
    const running = h2load(`https://${await project.podAddress()}/healthz`, { connections: 16, seconds: 8 });
    await running.begun;
    await handOver();
    const { started, succeeded, errored, timeout, notOk, line } = await running.ended;
    t.diagnostic(line);
    assert.ok(started > 500, line);
    assert.deepEqual([timeout, notOk], [0, 0]);
    // h2load never sends again: at most the one request of each connection that crossed its GOAWAY.
    assert.ok(errored <= 16, line);
    assert.ok(started - succeeded <= 16, line);
  });

  it('puts a changed variable and a changed template in use', async () => {
    const post = async (): Promise<string> => {
      const response = await fetch(`${project.url}/echo`, { method: 'POST', body: 'x'.repeat(BODY) });
      return `${response.status} ${await response.text()}`;
    };
    assert.match(await post(), /^200 /);
    await project.setVariable('CLIENT_MAX_BODY_SIZE', '1k');
    const changed = (text: string): string => text.replace('the body is too large', 'less, please');
    await withFile(`${TEMPLATES}/50-errors.conf.template`, changed, async () => {
      await handOver();
      assert.match(await post(), /^413 .*less, please/);
    });
    await project.setVariable('CLIENT_MAX_BODY_SIZE', '1m');
    await handOver();
    assert.match(await post(), /^200 /);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('that would be broken is refused with its own words, and the one that serves never notices', async (t) => {
    const were = await project.containers('proxy');
    const refused = async (words: RegExp): Promise<void> => {
      const { exitCode, stderr } = await project.deploy('--service', 'proxy');
      assert.equal(exitCode, 1, stderr);
      assert.match(stderr, words);
      assert.match(stderr, /nothing changed for your users/);
      assert.deepEqual(
        (await project.containers('proxy')).map(({ id }) => id),
        were.map(({ id }) => id),
      );
    };
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const broken = (text: string): string => `${text}\nkeepalive_tiemout 5s;\n`;
      await withFile(`${TEMPLATES}/40-limits.conf.template`, broken, () =>
        refused(
          /\[emerg\] .*unknown directive "keepalive_tiemout" in \/run\/proxy\/http\/40-limits\.conf:\d+/,
        ),
      );
      await project.setVariable('CLIENT_MAX_BODY_SIZE', 'banana');
      await refused(
        /the configuration of the proxy is broken[^]*"client_max_body_size" directive invalid value/,
      );
      await project.setVariable('CLIENT_MAX_BODY_SIZE', '1m');
      await withFile(
        'compose.yaml',
        (text) => text.replace('APP_ADDRESS: 127.0.0.1:3000', 'APP_ADDRESS: 127.0.0.1:3999'),
        () =>
          refused(
            /the app does not answer behind the new proxy, as it does behind the old one: HTTP\/1\.1 50\d/,
          ),
      );
      const alone = (text: string): string => text.replace(/(STATUS_PORT\}) reuseport;/, '$1;');
      await withFile(`${TEMPLATES}/60-server.conf.template`, alone, () =>
        refused(/cannot listen beside the one that serves[^]*Address already in use/),
      );
      const other = (text: string): string => text.replace('    user: nginx\n', "    user: '33'\n");
      await withFile('proxy/nginx/service.yaml', other, () => refused(/error: /));
    });
    t.diagnostic(result.judgement.summary);
    // The kernel also counts who looks at the status of a rehearsal that ends: no visitor.
    assertNothingLost({ ...result, kernel: [] });
    const missing = await project.deploy('--service', 'proxy', '--image', 'tasuki-test:no-such');
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /could not be pulled/);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('answers what it has begun before it ends, and says what it has to cut at the deadline', async () => {
    const address = await project.podAddress();
    const socket = connect({ host: address, port: 80 });
    socket.write('GET /slow?ms=20000 HTTP/1.1\r\nHost: a\r\n\r\n');
    const slow = fetch(`http://${address}/slow?ms=2500`);
    const { stdout } = await handOver('--drain-timeout', '5s');
    assert.equal((await slow).status, 200);
    await (await slow).arrayBuffer();
    assert.match(stdout, /retire \S+ \(\d\.\d s\): 1 connection cut after 5\.0 s/);
    socket.destroy();
  });

  it('is a run of its own kind: in the history, but nothing to go back to', async () => {
    const { stdout } = await project.deployOk('history');
    assert.match(stdout, /Z {2}proxy {5}done .* nginx:1\.30/);
    const { exitCode, stderr } = await project.deploy('rollback');
    assert.equal(exitCode, 2);
    assert.match(stderr, /there is no release to go back to/);
    assert.doesNotMatch((await project.deployOk('status')).stdout, /nginx|handover/);
  });

  it('takes no other service, and no flags about releases', async () => {
    for (const args of [
      ['--service', 'mysql'],
      ['--service', 'proxy', '--build'],
      ['--service', 'proxy', '--hold'],
      ['status', '--service', 'proxy'],
    ])
      assert.equal((await project.deploy(...args)).exitCode, 2, args.join(' '));
  });

  it('(control) loses requests when Compose recreates it', async (t) => {
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      await project.compose('up', '-d', '--no-build', '--force-recreate', '--no-deps', 'proxy');
      await project.untilAnswering(30_000);
    });
    t.diagnostic(result.judgement.summary);
    assert.ok(result.report.failed > 0);
  });
});
