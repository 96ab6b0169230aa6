import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, docker } from '../support/containers.ts';
import { killAfter } from '../support/killed.ts';
import { buildFixture, buildReleases, Project } from '../support/project.ts';
import { planOf } from '../support/steps.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const LINK = /look at it: (http:\/\/\S+\/\.tasuki\/preview\/([\w-]+))/;
const SMOKE = `
  smoke:
    - /
    - { path: /healthz, status: 200, contains: '"ok"' }
  links: [/]`;

/** What a client gets that does not follow redirects. */
async function ask(url: string, headers: Record<string, string> = {}, init: RequestInit = {}) {
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(url, { ...init, headers, redirect: 'manual', signal });
  const text = await response.text();
  const [cookie = ''] = response.headers.getSetCookie();
  return {
    status: response.status,
    release: response.headers.get('x-release'),
    location: response.headers.get('location'),
    cookie,
    text,
    retryAfter: response.headers.get('retry-after'),
  };
}

describe('a release that is held before its users meet it', { timeout: 600_000 }, () => {
  let project: Project;
  before(async () => {
    await buildReleases('v2', 'v3');
    await Promise.all(['home-fails', 'broken-link'].map((kind) => buildFixture(kind)));
    project = await Project.up('tasuki-test:v1', {
      edit: (text) => text.replace('\n  health: /readyz', (line) => `${SMOKE}${line}`),
      hasty: true,
    });
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  const ids = async (): Promise<string[]> => (await project.containers()).map(({ id }) => id).toSorted();

  async function hold(image: string): Promise<{ link: string; token: string; release: string }> {
    const { stdout } = await project.deployOk('--image', image, '--hold');
    const [, link = '', token = ''] = LINK.exec(stdout) ?? [];
    const release = /as release (\S+?),/.exec(stdout)?.[1] ?? '';
    assert.ok(link && release, stdout);
    return { link, token, release };
  }

  it('is seen through the proxy with its token, by nobody else, and goes on with admit: no request is lost', async (t) => {
    const former = await project.answering();
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      const { link, token, release } = await hold('tasuki-test:v2');

      const preview = { 'X-Tasuki-Preview': token };
      const page = await ask(`${project.url}/`, preview);
      assert.deepEqual([page.status, page.release], [200, release]);
      assert.match(page.text, /<title>/);
      const echoed = await ask(
        `${project.url}/echo`,
        { ...preview, 'X-Forwarded-For': '192.0.2.1' },
        { method: 'POST' },
      );
      assert.equal(echoed.release, release);
      assert.doesNotMatch(
        echoed.text,
        /192\.0\.2\.1/,
        'what users say of themselves is not believed here either',
      );

      const entered = await ask(link);
      assert.deepEqual([entered.status, entered.location], [303, `${project.url}/`]);
      assert.match(entered.cookie, /^tasuki_preview=\S+; Path=\/; HttpOnly; SameSite=Lax$/);
      const cookie = { cookie: entered.cookie.split(';')[0] ?? '' };
      assert.equal((await ask(`${project.url}/`, cookie)).release, release);

      // Nobody else: without a token, and with one that was never made.
      assert.equal((await ask(`${project.url}/`)).release, former);
      assert.equal((await ask(`${project.url}/`, { 'X-Tasuki-Preview': 'x'.repeat(24) })).status, 410);
      assert.equal((await ask(`${project.url}/`, { 'X-Tasuki-Preview': '../record.json' })).release, former);

      assert.deepEqual(await project.upChanges(), []);
      assert.equal(await project.answering(), former);
      const { stdout: status } = await project.deployOk('status');
      assert.match(status, new RegExp(`held +${release}`));
      assert.match(
        (await project.deployOk('preview')).stdout,
        new RegExp(link.replaceAll('.', String.raw`\.`)),
      );
      const doctor = await project.deploy('doctor');
      assert.equal(doctor.exitCode, 0, doctor.stdout);

      await project.deployOk('admit');
      assert.equal(await project.answering(), release);
      const back = await ask(`${project.url}/echo?x=1`, cookie);
      assert.deepEqual([back.status, back.location], [302, `${project.url}/echo?x=1`]);
      assert.match(back.cookie, /^tasuki_preview=; Path=\/; Max-Age=0$/);
      assert.equal((await ask(`${project.url}/`, preview)).status, 410);
      assert.deepEqual(await project.upChanges(), []);
      await project.deployOk('rollback');
      assert.equal(await project.answering(), former);
    });
    assertNothingLost(result);
    t.diagnostic(`${result.report.sent} requests of users meanwhile, 0 failed`);
    const failed = await project.deploy('admit');
    assert.equal(failed.exitCode, 2);
    assert.match(failed.stderr, /no release is held/);
  });

  it('is removed by abort, and by the next deploy', async () => {
    const serving = await project.answering();
    const were = await ids();
    const { token } = await hold('tasuki-test:v3');
    await project.deployOk('abort');
    assert.deepEqual(await ids(), were);
    assert.equal(await project.answering(), serving);
    assert.equal((await ask(`${project.url}/`, { 'X-Tasuki-Preview': token })).status, 410);
    const { release } = await hold('tasuki-test:v3');
    await project.deployOk('--image', 'tasuki-test:v2');
    assert.ok((await project.status()).instances.every((one) => one.release !== release));
  });

  it('is put in its place by resume when the deployer is killed behind the switch of its admission', async () => {
    const { release } = await hold('tasuki-test:v3');
    const { all } = await planOf(project, ['admit']);
    await killAfter(project, ['admit'], all.indexOf('promote') + 1);
    await project.deployOk('resume');
    assert.equal(await project.answering(), release);
    assert.deepEqual(await project.upChanges(), []);
    const { instances } = await project.status();
    const seats = instances.map((one) => `${one.visible} ${one.state?.phase}`);
    assert.deepEqual(seats.toSorted(), ['false standby', 'true serving']);
  });

  it('comes back when its container was restarted, with its link', async () => {
    const serving = await project.answering();
    const { token, release } = await hold('tasuki-test:v3');
    const name = (await project.containers()).find((one) => one.name.includes('-held-'))?.name ?? '';
    await docker(['restart', name]);
    const again = async () => (await project.deploy('preview')).exitCode === 0;
    await eventually('it can be looked at again', again, 30_000);
    assert.equal((await ask(`${project.url}/`, { 'X-Tasuki-Preview': token })).release, release);
    assert.equal(await project.answering(), serving);
    await project.deployOk('abort');
  });

  it('with a home page that fails never meets a user; with --no-smoke (control) it does', async () => {
    const serving = await project.answering();
    const were = await ids();
    const { exitCode, stderr } = await project.deploy('--image', 'tasuki-test:home-fails');
    assert.equal(exitCode, 1);
    assert.match(stderr, /did not pass its smoke test through the proxy: \/: status 500, expected below 400/);
    assert.match(stderr, /answered: fixture: no such column: teams\.colour/);
    assert.match(stderr, /last lines of/);
    assert.deepEqual(await ids(), were);
    assert.equal(await project.answering(), serving);
    await project.deployOk('--image', 'tasuki-test:home-fails', '--no-smoke');
    assert.equal((await ask(`${project.url}/`)).status, 500);
    await project.deployOk('rollback');
    assert.equal((await ask(`${project.url}/`)).status, 200);
  });

  it('is seen during maintenance, and can be admitted, while everybody else gets a page and 503', async () => {
    const html = { accept: 'text/html' };
    const { token, release } = await hold('tasuki-test:v3');
    await writeFile(join(project.folder, 'down.html'), '<h1>Moving house</h1>');
    const empty = await project.deploy('maintenance', 'on', '--page', '/dev/null');
    assert.equal(empty.exitCode, 2, empty.stderr);
    assert.equal((await ask(`${project.url}/`, html)).status, 200, 'a bad page changes nothing');

    await project.deployOk('maintenance', 'on', '--page', 'down.html');
    for (const init of [{}, { method: 'POST', body: 'text=x' }]) {
      const down = await ask(`${project.url}/?x=1`, html, init);
      assert.deepEqual([down.status, down.text, down.retryAfter], [503, '<h1>Moving house</h1>', '60']);
    }
    const api = await ask(`${project.url}/echo`);
    assert.deepEqual([api.status, api.retryAfter], [503, '60']);
    assert.match(api.text, /"message":"down for maintenance"/);
    assert.equal((await ask(`${project.url}/`, { 'X-Tasuki-Preview': token })).release, release);
    assert.match((await project.deployOk('status')).stdout, /maintenance is on since 20/);

    await project.deployOk('admit');
    assert.equal(await project.answering(), release, 'the probe reaches the app');
    assert.equal((await ask(`${project.url}/`, html)).status, 503, 'a deploy does not end it');
    assert.match((await project.deployOk('maintenance', 'off')).stdout, /visitors reach the app/);
    assert.equal((await ask(`${project.url}/`, html)).release, release);
    assert.deepEqual(await project.upChanges(), []);
  });

  it('is not all that users need not notice: new requests wait through a pause, and none is lost', async (t) => {
    const result = await underLoad(project, { ...STEADY, mode: { rate: 60 } }, async (load) => {
      await load.until(({ answered }) => answered > 100, 30_000);
      const { stdout } = await project.deployOk('pause', '--for', '20s');
      assert.match(stdout, /new requests wait for 20\.0 s at most, \d+ of them; next: deploy resume/);
      let early = true;
      const waiting = ask(`${project.url}/echo`).then(({ status }) => [status, early]);
      assert.match((await project.deployOk('status')).stdout, /requests wait/);
      early = false;
      await project.deployOk('resume');
      assert.deepEqual(await waiting, [200, false], 'it was answered after the end of the pause');
      await load.until(({ answered }) => answered > 300, 30_000);
    });
    assertNothingLost(result, 200);
    t.diagnostic(`longest time without an answer ${result.report.longestGap.ms} ms`);
  });

  it('with links that lead nowhere is refused, each with the page it stands on', async () => {
    const { exitCode, stderr } = await project.deploy('--image', 'tasuki-test:broken-link');
    assert.equal(exitCode, 1);
    assert.match(stderr, /2 of \d+ links of the new release do not answer/);
    assert.match(stderr, /\/ -> \/nowhere: status 404/);
    assert.match(stderr, /\/ -> \/assets\/gone\.js: status 404/);
  });
});
