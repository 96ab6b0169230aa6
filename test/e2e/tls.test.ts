import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { buildReleases, Project } from '../support/project.ts';
import { Visitors } from '../support/tls-visitors.ts';

/** A project whose visitors all come with TLS, as on a server of one's own. */

void describe('with HTTPS_REDIRECT=on', () => {
  let project: Project;
  let v2: string;
  let url: string;

  before(async () => {
    [v2 = ''] = await buildReleases('v2');
    project = await Project.up('tasuki-test:v1', { variables: { HTTPS_REDIRECT: 'on' } });
    const port = (await project.compose('port', 'pod', '443')).split(':').at(-1)?.trim();
    url = `https://127.0.0.1:${port}/`;
  });
  after(async () => project?.[Symbol.asyncDispose]());

  void test('a deploy, a preview, an admission and a rollback go as ever, and visitors with TLS lose no request', async () => {
    const sent = await fetch(project.url, { redirect: 'manual' });
    assert.equal(sent.status, 308);
    await using visitors = new Visitors(url);
    const { stdout } = await project.deployOk('--image', v2, '--watch', '1s');
    assert.match(stdout, /ask it for its pages through the proxy [^\n]*: \/ answers/);
    await project.deployOk('rollback');
    await project.deployOk('--image', v2, '--hold');
    const { link } = JSON.parse((await project.deployOk('preview', '--json')).stdout) as { link: string };
    const token = new URL(link).pathname.split('/').at(-1) ?? '';
    const releaseOf = async (path: string, headers: Record<string, string>) =>
      (await fetch(new URL(path, project.url), { headers, redirect: 'manual' })).headers.get('x-release');
    const held = await releaseOf('/', { 'x-tasuki-preview': token });
    assert.ok(held);
    assert.notEqual(held, await releaseOf('/healthz', {}));
    await project.deployOk('admit', '--watch', '1s');
    const { failed, answered } = await visitors.end();
    assert.deepEqual(failed, []);
    for (const [kind, count] of Object.entries(answered)) assert.ok(count > 100, `${kind}: ${count}`);
  });

  void test('the doctor finds nothing wrong with it', async () => {
    const { stdout } = await project.deploy('doctor');
    assert.match(stdout, /the certificate for https is one for trying it/);
    assert.match(stdout, /:\d+ is answered by release/);
  });
});
