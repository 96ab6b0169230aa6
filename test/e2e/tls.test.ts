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
    await using visitors = new Visitors(url);
    await project.deployOk('--image', v2, '--watch', '1s');
    await project.deployOk('rollback');
    await project.deployOk('--image', v2, '--hold');
    const preview = await project.deployOk('preview');
    await project.deployOk('admit', '--watch', '1s');
    const { failed, answered } = await visitors.end();
    assert.match(preview.stdout, /\/\.tasuki\/preview\//);
    assert.deepEqual(failed, []);
    for (const [kind, count] of Object.entries(answered)) assert.ok(count > 100, `${kind}: ${count}`);
  });

  void test('the doctor finds nothing wrong with it', async () => {
    const { stdout } = await project.deploy('doctor');
    assert.match(stdout, /the certificate for https is one for trying it/);
    assert.match(stdout, /:\d+ is answered by release/);
  });
});
