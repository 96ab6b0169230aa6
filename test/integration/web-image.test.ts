import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import {
  APP_IMAGE,
  buildAppImage,
  docker,
  eventually,
  startStack,
  type Stack,
} from '../support/containers.ts';
import { ask } from '../support/proxy.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface ImageConfig {
  User: string;
  Labels: Record<string, string>;
  Healthcheck: { Test: string[] };
}

/** Owner, rights, sum and name of each file of the app in an image. */
async function sumsOf(image: string): Promise<string> {
  const script =
    'cd / && find /app -type f | sort | while read f; do echo "$(stat -c %U:%a $f) $(sha256sum $f)"; done';
  return await docker([
    'run',
    '--rm',
    '--user',
    'root',
    '--network',
    'none',
    '--entrypoint',
    'sh',
    image,
    '-c',
    script,
  ]);
}

/** The image as built and the stack as shipped. */
void describe('the image and the stack', () => {
  let stack: Stack;

  before(async () => {
    await buildAppImage();
    stack = await startStack({ env: { WEB_CONCURRENCY: '2' } });
  });
  after(async () => stack?.down());

  void test('the image holds the app and nothing of the build', async () => {
    const { stdout } = await execa('docker', [
      'run',
      '--rm',
      '--entrypoint',
      'find',
      APP_IMAGE,
      '/app',
      '-type',
      'f',
    ]);
    const files = stdout.split('\n').filter((file) => !file.includes('/.compile-cache/'));
    assert.ok(files.includes('/app/main.js') && files.includes('/app/ctl.js'));
    for (const file of files)
      assert.match(
        file,
        /^\/app\/([\w-]+\.js(\.map)?|package\.json|assets\/[\w./-]+|dashboard\/[\w./-]+|migrations\/[\w-]+\.sql)$/,
      );
  });

  void test('another build of the same source holds the same, byte for byte', async () => {
    const [again, folder] = ['tasuki-test:again', await mkdtemp(join(tmpdir(), 'tasuki-again-'))];
    try {
      for (const part of [
        'Dockerfile',
        '.dockerignore',
        'package.json',
        'package-lock.json',
        'build.ts',
        'app',
      ])
        await cp(join(ROOT, part), join(folder, part), { recursive: true });
      // Both make the engine do its work again, behind the packages: a file that nobody imports, and another revision.
      await writeFile(join(folder, 'app/unused.ts'), `export const at = ${Date.now()};\n`);
      const revision = ['--build-arg', `REVISION=${Date.now()}`];
      await docker(['build', '--quiet', '--tag', again, ...revision, folder], 300_000);
      const first = await sumsOf(APP_IMAGE);
      assert.match(first, / \/app\/main\.js$/m);
      assert.match(first, / \/app\/\.compile-cache\//m);
      assert.equal(await sumsOf(again), first);
      const layers = async (image: string) => await docker(['inspect', '-f', '{{.RootFS.Layers}}', image]);
      assert.notEqual(
        await layers(again),
        await layers(APP_IMAGE),
        'the layers of the first would be no second build',
      );
    } finally {
      await execa('docker', ['rmi', again], { reject: false, timeout: 30_000 });
      await rm(folder, { recursive: true });
    }
  });

  void test('the image says what it is and when it is well, and its user is not root', async () => {
    const text = await docker(['inspect', '--format', '{{json .Config}}', APP_IMAGE]);
    const { User, Labels, Healthcheck } = JSON.parse(text) as ImageConfig;
    assert.equal(User, 'node');
    for (const label of ['title', 'description', 'licenses', 'revision'])
      assert.ok(Labels[`org.opencontainers.image.${label}`], label);
    assert.deepEqual(Healthcheck.Test, ['CMD', 'node', 'ctl', 'health']);
    const health = ['inspect', '--format', '{{.State.Health.Status}}', await stack.container('app')];
    assert.equal(await docker(health), 'healthy', 'compose.yaml has no check of its own for it');
    // Where nothing serves, the check says so.
    const alone = ['run', '--rm', '--network', 'none', '--entrypoint', 'node', APP_IMAGE, 'ctl', 'health'];
    assert.equal((await execa('docker', alone, { reject: false, timeout: 20_000 })).exitCode, 1);
  });

  void test('what the app loads has been compiled in the image', async () => {
    const env = [
      '--env',
      'NODE_DEBUG_NATIVE=COMPILE_CACHE',
      '--env',
      'DATABASE_URL=mysql://nobody@127.0.0.1/none',
    ];
    const args = ['run', '--rm', '--read-only', '--network', 'none', ...env, APP_IMAGE];
    // It loads BullMQ, pino and zod, and ends at once.
    const { all } = await execa('docker', [...args, 'jobs'], { all: true, reject: false, timeout: 20_000 });
    const loaded = all.matchAll(/V8 code cache for ESM file:\/\/\/app\/(\S+) was (\w+)/g);
    const outcomes = new Map(Array.from(loaded, ([, file, outcome]) => [file, outcome]));
    assert.ok(outcomes.has('main.js') && outcomes.size >= 5, [...outcomes.keys()].join());
    assert.deepEqual(new Set(outcomes.values()), new Set(['accepted']));
  });

  void test('an app that is configured wrongly says all of it and exits 78', async () => {
    const args = ['run', '--rm', '--env', 'PORT=high', '--env', 'LOG_LEVEL=loud', APP_IMAGE];
    const { exitCode, stderr } = await execa('docker', args, { reject: false, timeout: 20_000 });
    assert.equal(exitCode, 78);
    for (const name of ['PORT', 'LOG_LEVEL', 'DATABASE_URL']) assert.match(stderr, new RegExp(`- ${name} `));
    const unknown = await execa('docker', [...args, 'juggler'], { reject: false, timeout: 20_000 });
    assert.equal(unknown.exitCode, 78);
    assert.match(unknown.stderr, /role "juggler" is unknown; known: web, worker, jobs, migrate/);
  });

  void test('every page comes through the proxy, with release and request id', async () => {
    const update = await ask(`${stack.url}/update`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-Request-ID': 'stack-1' },
      body: JSON.stringify({ text: 'through everything' }),
    });
    assert.equal(update.status, 201);
    const { id, release } = JSON.parse(update.text) as { id: string; release: string };
    assert.equal(id, 'stack-1');
    for (const path of ['/', '/echo', '/slow?ms=100', '/healthz', '/readyz', '/nothing']) {
      const res = await ask(stack.url + path);
      assert.equal(res.status, path === '/nothing' ? 404 : 200, path);
      assert.equal(res.headers['x-release'], release, path);
      assert.match(String(res.headers['x-request-id']), /^[0-9a-f]{32}$/, path);
    }
    assert.match((await ask(stack.url)).text, /through everything/);
    const echo = JSON.parse((await ask(`${stack.url}/echo`)).text) as Record<string, unknown>;
    assert.equal(echo.host, `127.0.0.1:${stack.port}`);
    assert.equal(echo.protocol, 'http');
    assert.match(String(echo.ip), /^\d+\.\d+\.\d+\.\d+$/);
    assert.notEqual(echo.ip, '127.0.0.1', "the client's address, not the proxy's");
  });

  void test('a running child can be looked into, and only from inside', async () => {
    for (const path of ['/metrics', '/_/metrics', '/_/heap', '/_/profile?seconds=1'])
      assert.equal((await ask(stack.url + path)).status, 404, path);
    const ctl = async (...args: string[]) => await stack.exec('app', 'node', 'ctl', ...args);
    assert.match(await ctl('metrics'), /http_request_duration_seconds_count\{route="\/update",[^}]*\} [1-9]/);
    const profile = JSON.parse(await ctl('profile', '--seconds', '0.5')) as { samples: number[] };
    assert.ok(profile.samples.length > 0);
    const heap = JSON.parse(await ctl('heap')) as { snapshot: { node_count: number } };
    assert.ok(heap.snapshot.node_count > 10_000);
    await assert.rejects(ctl('profile', '--seconds', 'many'), /takes a number/);
    const scrape = 'exec 3<>/dev/tcp/127.0.0.1/8090; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; cat <&3';
    assert.match(await stack.exec('proxy', 'bash', '-c', scrape), /http_requests_running/);
  });

  void test('bringing the stack up again changes nothing', async () => {
    const ids = async () =>
      await docker([
        'ps',
        '-aq',
        '--no-trunc',
        '--filter',
        `label=com.docker.compose.project=${stack.project}`,
      ]);
    const first = await ids();
    const said = await stack.compose('up', '--detach');
    assert.doesNotMatch(said, /Recreat|Creat|Start/);
    assert.equal(await ids(), first);
  });

  void test('nothing that serves the public runs as root, may gain rights, or can write its image', async () => {
    for (const service of ['proxy', 'app']) {
      const format =
        '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}';
      const text = await docker(['inspect', '--format', format, await stack.container(service)]);
      assert.match(text, /^(node|nginx) true \[ALL\] \[no-new-privileges:true\]$/, service);
    }
    const secret = await stack.exec('pod', 'stat', '-c', '%a', '/run/secrets-store/mysql_password');
    assert.equal(secret, '440');
  });

  void test('every service limits its log, its memory and its processes, and comes back by itself', async () => {
    for (const service of ['pod', 'proxy', 'app', 'mysql', 'redis']) {
      const text = await docker([
        'inspect',
        '--format',
        '{{json .HostConfig}}',
        await stack.container(service),
      ]);
      const host = JSON.parse(text) as {
        Memory: number;
        PidsLimit: number;
        RestartPolicy: { Name: string };
        LogConfig: { Config: Record<string, string> };
      };
      assert.ok(host.Memory > 0 && host.PidsLimit > 0, service);
      assert.equal(host.RestartPolicy.Name, 'unless-stopped', service);
      assert.deepEqual(
        host.LogConfig.Config,
        { compress: 'false', 'max-file': '3', 'max-size': '10m' },
        service,
      );
    }
  });

  void test('a stack that is taken down and up again keeps its data and its password', async () => {
    await stack.compose('down', '--timeout', '10');
    await stack.compose('up', '--detach', '--wait', '--no-build');
    await eventually('the update of before', async () =>
      /through everything/.test((await ask(stack.url)).text),
    );
  });

  void test('when the pod dies the whole stack comes back', async () => {
    const pod = await stack.container('pod');
    process.kill(Number(await docker(['inspect', '--format', '{{.State.Pid}}', pod])), 'SIGKILL');
    await eventually('the engine sees it', async () => {
      return Number(await docker(['inspect', '--format', '{{.RestartCount}}', pod])) > 0;
    });
    await eventually(
      'the app answers',
      async () => (await ask(`${stack.url}/readyz`)).status === 200,
      30_000,
    );
  });
});
