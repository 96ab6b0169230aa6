import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import { WebSocket } from 'ws';
import { docker, eventually } from '../support/containers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { assertNothingLost, STEADY, underLoad } from '../support/under-load.ts';

const EACH = 15;
const WHOLE_EVENTS = /^(?:id: \d+\ndata: begin end\n\n)+$/;
const [FIRST, SECOND, THIRD] = ['tasuki-test:s1', 'tasuki-test:s2', 'tasuki-test:s3'];
const HANDOVERS = [['--image', SECOND], ['--image', THIRD], ['rollback']];

/** What a bundle of CommonJS packages needs, as in build.ts. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** Test images whose app has streams besides: bundled here, and put on top of the app's image. */
async function buildStreaming(): Promise<void> {
  await buildReleases();
  const folder = await mkdtemp(join(tmpdir(), 'tasuki-streaming-'));
  await build({
    entryPoints: [join(import.meta.dirname, '../fixtures/board-with-streams.ts')],
    outfile: join(folder, 'streams.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
    banner: { js: REQUIRE },
  });
  const lines = ['FROM tasuki-test:v1', 'ARG NAME', 'COPY streams.mjs ./', 'LABEL tasuki.fixture=$NAME'];
  await writeFile(
    join(folder, 'Dockerfile'),
    [...lines, 'ENTRYPOINT ["node", "streams.mjs"]', ''].join('\n'),
  );
  for (const name of [FIRST, SECOND, THIRD])
    await docker(['build', '-q', '-t', name, '--build-arg', `NAME=${name}`, folder], 120_000);
  await rm(folder, { recursive: true, force: true });
}

/** Clients that come again whenever they are sent away, as a browser's do, and what each of their streams ended with. */
class Clients implements Disposable {
  readonly closeCodes: number[] = [];
  readonly eventTexts: string[] = [];
  readonly wrong: string[] = [];
  echoed = 0;
  readonly #url: string;
  readonly #sockets = new Set<WebSocket>();
  readonly #requests = new Set<http.ClientRequest>();
  #listening = 0;
  #over = false;

  constructor(url: string) {
    this.#url = url;
    for (let n = 0; n < EACH; n++) {
      this.#talk();
      this.#listen();
    }
  }

  get allOpen(): boolean {
    const talking = [...this.#sockets].filter((one) => one.readyState === WebSocket.OPEN);
    return talking.length === EACH && this.#listening === EACH;
  }

  #talk(): void {
    const socket = new WebSocket(`${this.#url.replace('http', 'ws')}/`);
    this.#sockets.add(socket);
    let n = 0;
    socket.on('open', () => socket.send(`${n}`));
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text === `${n}`) this.echoed += 1;
      else this.wrong.push(`${text} came back for ${n}`);
      socket.send(`${++n}`);
    });
    socket.on('error', (error) => this.wrong.push(`WebSocket: ${error.message}`));
    socket.on('close', (code) => {
      this.#sockets.delete(socket);
      if (this.#over) return;
      this.closeCodes.push(code);
      this.#talk();
    });
  }

  #listen(): void {
    const request = http.get(`${this.#url}/events`, { agent: false });
    this.#requests.add(request);
    let text = '';
    request.on('response', (res) => {
      this.#listening += 1;
      res.on('close', () => (this.#listening -= 1));
      res.setEncoding('utf8').on('data', (part: string) => (text += part));
    });
    request.on('error', (error) => this.#over || this.wrong.push(`events: ${error.message}`));
    request.on('close', () => {
      this.#requests.delete(request);
      if (this.#over) return;
      this.eventTexts.push(text);
      this.#listen();
    });
  }

  [Symbol.dispose](): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.terminate();
    for (const request of this.#requests) request.destroy();
  }
}

describe('streams through the proxy', () => {
  let project: Project;
  before(async () => {
    await buildStreaming();
    project = await Project.up(FIRST);
  });
  after(async () => await project?.[Symbol.asyncDispose]());

  it('go over to each next release with whole messages and whole events, while no request is lost', async (t) => {
    using clients = new Clients(`http://${await project.podAddress()}`);
    const told: (string | undefined)[] = [];
    const result = await underLoad(project, STEADY, async (load) => {
      await load.until(({ answered }) => answered > 300, 30_000);
      for (const args of HANDOVERS) {
        await eventually('everybody has both streams', async () => clients.allOpen);
        const { events } = await project.deployOk(...args, '--json');
        for (const one of events)
          if (one.type === 'step' && one.id === 'drain' && one.status === 'done') told.push(one.detail);
      }
      await eventually('everybody has both streams again', async () => clients.allOpen);
    });
    t.diagnostic(result.judgement.summary);
    t.diagnostic(
      `${clients.closeCodes.length} WebSockets and ${clients.eventTexts.length} event streams went over`,
    );
    assertNothingLost(result, 700);
    assert.deepEqual(clients.wrong, []);
    assert.ok(clients.echoed > 1000, `${clients.echoed} messages came back`);
    // At least: a child that is replaced in its turn (RECYCLE_REQUESTS) sends its clients away, too.
    assert.ok(clients.closeCodes.length >= EACH * HANDOVERS.length);
    assert.deepEqual([...new Set(clients.closeCodes)], [1012]);
    assert.ok(clients.eventTexts.length >= EACH * HANDOVERS.length);
    for (const text of clients.eventTexts) assert.match(text, WHOLE_EVENTS);
    assert.equal(told.length, HANDOVERS.length);
    for (const detail of told) assert.match(String(detail), / 0 cut, \d\d streams sent to come again/);
  });
});
