import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { startLoad } from '../support/load/index.ts';
import { ledgerFile, startTarget } from '../support/load/target/index.ts';

const EXCHANGES = 30;

/** A port that was free a moment ago. SO_REUSEPORT needs a number that all processes know. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

for (const keepAliveClient of ['undici', 'socket'] as const) {
  void test(`negative control: Node's own server.close() loses updates on kept connections (${keepAliveClient})`, async () => {
    const ledger = ledgerFile();
    const port = await freePort();
    let serving = await startTarget({ ledger, port, name: 'r0' });
    await using client = await startLoad({
      target: serving.url,
      keepAlive: 32,
      fresh: 0,
      keepAliveClient,
      mix: { update: 1 },
    });
    let failed = 0;
    for (let i = 1; i <= EXCHANGES && failed === 0; i++) {
      const next = await startTarget({ ledger, port, name: `r${i}` });
      const before = await client.counters();
      await client.until(({ answered }) => answered > before.answered + 500, 10_000);
      await serving.close();
      serving = next;
      ({ failed } = await client.counters());
    }
    const report = await client.stop();
    await serving.close();
    assert.ok(
      report.failed > 0,
      `${EXCHANGES} exchanges by server.close() lost nothing: the client is blind`,
    );
    assert.ok(report.failures.every(({ connection }) => connection === 'reused'));
  });
}
