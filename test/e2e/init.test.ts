import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/containers.ts';
import { assertLoad, startLoad, type Load, type LoadReport } from '../support/load/index.ts';
import { Newcomer } from '../support/newcomer.ts';

const REPOSITORY =
  "printf '.env\\nstate\\n' > .gitignore && git init -q && git add . && git commit -qm first";

/** New and kept connections, GET and POST, and answers that take two seconds. */
async function underLoad(shop: Newcomer, body: (load: Load) => Promise<void>): Promise<LoadReport> {
  await using load = await startLoad({
    target: shop.url,
    mode: { rate: 150 },
    keepAlive: 8,
    fresh: 16,
    freshShare: 0.5,
    slow: 4,
    slowMs: 2000,
    slowMix: { 'slow-response': 1 },
    needsId: false,
  });
  const go = async (): Promise<void> => {
    const { answered } = await load.counters();
    await load.until((now) => now.answered >= answered + 150, 30_000);
  };
  await go();
  await body(load);
  await go();
  return await load.stop();
}

describe('an Express app that knows nothing of tasuki, after deploy init', () => {
  it('is deployed and taken back without losing a request, after fewer than ten commands', async (t) => {
    await using shop = await Newcomer.make();
    await shop.type('docker compose up -d --build'); // as it has been so far
    shop.typed.length = 0;
    const plain = await readFile(join(shop.folder, 'compose.yaml'), 'utf8');
    await shop.type('deploy init');
    await shop.type(REPOSITORY);
    await shop.type('docker compose up -d --build');
    await eventually('version one is there', async () => /version one/.test((await shop.home()).page));

    await shop.write('two');
    const report = await underLoad(shop, async () => {
      await shop.type("git commit -qam 'Two'");
      await shop.type('deploy --build');
    });
    const commands = shop.typed.map(({ command, ms }) => `${command} (${ms} ms)`);
    t.diagnostic(
      `${commands.length} commands, ${shop.typed.reduce((all, { ms }) => all + ms, 0)} ms: ${commands.join('; ')}`,
    );
    t.diagnostic(`${report.sent} requests, ${report.failed} failed, slowest ${report.latency.max} ms`);
    assert.ok(commands.length < 10);
    assertLoad(report, { atLeast: 500 });
    assert.equal(report.failed, 0, JSON.stringify(report.byError));
    assert.ok(Object.values(report.byRelease).filter(({ answered }) => answered > 0).length >= 2);
    const { page, release } = await shop.home();
    assert.match(page, /welcome, this is version two/);
    assert.equal(await readFile(join(shop.folder, 'compose.yaml'), 'utf8'), plain);

    const before = await shop.containers();
    await shop.type('docker compose up -d');
    assert.deepEqual(await shop.containers(), before);

    const back = await underLoad(shop, async () => void (await shop.type('deploy rollback')));
    t.diagnostic(`rollback: ${back.sent} requests, ${back.failed} failed`);
    assert.equal(back.failed, 0, JSON.stringify(back.byError));
    assert.match((await shop.home()).page, /version one/);
    assert.notEqual((await shop.home()).release, release);
    const after = await shop.containers();
    await shop.type('docker compose up -d');
    assert.deepEqual(await shop.containers(), after);

    // To be rid of it, as the file says.
    await shop.type('docker compose down --remove-orphans');
    await shop.type('rm -r compose.override.yaml proxy && sed -i /^TASUKI_/d .env');
    await shop.type('docker compose up -d --build');
    await eventually('the app is there', async () => /version two/.test((await shop.home()).page));
    const left =
      'docker ps -a --format {{.Names}} --filter label=com.docker.compose.project=$COMPOSE_PROJECT_NAME';
    assert.doesNotMatch(await shop.type(left), /parked|proxy/);
  });

  it('is told nothing by the doctor that is not so, before the first deploy and after it', async () => {
    await using shop = await Newcomer.make();
    await shop.type(`deploy init && ${REPOSITORY} && docker compose up -d --build`);
    await eventually('the shop answers', async () => (await shop.home()).page);
    const complaints = async (): Promise<string[]> => {
      const said = await shop.type('deploy doctor --json || true');
      const found = said.split('\n').map((line) => JSON.parse(line) as Record<string, string>);
      assert.ok(found.length > 10, said);
      // What is wrong with a machine is so: these are of the shop.
      const own =
        /^(serving|contract|addresses|namespace|port|certificate|visible|env|leftovers|config|stack|running|logs|restart)$/;
      return found
        .filter(({ id = '', level = '' }) => own.test(id) && level !== 'ok')
        .map(({ found: words = '' }) => words);
    };
    assert.deepEqual(await complaints(), []);
    await shop.type('deploy --build');
    assert.deepEqual(await complaints(), []);
    await shop.type('docker compose stop proxy');
    assert.notDeepEqual(await complaints(), [], 'the doctor must notice what is so');
  });

  it('loses requests without it: the control', async (t) => {
    await using shop = await Newcomer.make();
    await shop.type('docker compose up -d --build');
    await eventually('version one is there', async () => /version one/.test((await shop.home()).page));
    await shop.write('two');
    const report = await underLoad(shop, async () => {
      await shop.type('docker compose up -d --build');
      await eventually('version two is there', async () => /version two/.test((await shop.home()).page));
    });
    t.diagnostic(`${report.sent} requests, ${report.failed} failed`);
    assert.ok(report.failed > 0, 'a plain docker compose up -d must lose requests');
  });
});

describe('a project with a network, a container name, a build context and an env_file of its own, after deploy init', () => {
  it('is built as its file says, handed over, and left alone by docker compose up -d', async () => {
    const edit = (text: string): string =>
      text
        .replace(
          'build: .',
          'build: { context: web, args: [A=1] }\n    container_name: shop-$COMPOSE_PROJECT_NAME',
        )
        .concat(
          '    env_file: .env\n    networks: [front]\n' +
            '  tail: { image: debian:trixie-slim, init: true, command: [sleep, infinity], env_file: .env }\n' +
            'networks: { front: }\n',
        );
    await using shop = await Newcomer.make(edit);
    await writeFile(join(shop.folder, '.env'), 'COLOUR=red\n');
    const web = join(shop.folder, 'web');
    await mkdir(web);
    for (const name of ['Dockerfile', 'package.json', 'server.js', 'version.txt'])
      await cp(join(shop.folder, name), join(web, name));
    await writeFile(join(shop.folder, 'Dockerfile'), 'FROM nothing-of-this-name\n');
    await shop.type(`deploy init && ${REPOSITORY} && docker compose up -d --build`);
    await eventually('version one is there', async () => /version one/.test((await shop.home()).page));
    await writeFile(join(web, 'version.txt'), 'two\n');
    await shop.type("git commit -qam 'Two'");
    await shop.type('deploy --build');
    assert.match((await shop.home()).page, /version two/);
    const revision = await shop.type('git rev-parse HEAD');
    assert.ok((await shop.type('deploy history --json')).includes(revision), 'the image says its revision');
    const before = await shop.containers();
    await shop.type('docker compose up -d');
    assert.deepEqual(await shop.containers(), before);
  });
});
