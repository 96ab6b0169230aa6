import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { judgeMigration } from '../../deployer/doctor/migration.ts';
import { probeMigration } from '../../deployer/doctor/migration-probe.ts';
import { Engine } from '../../deployer/engine/docker.ts';

/** The probe on the real kernel, as strictly confined as the app; without the sysctl it must see the resets. */

const IMAGE = 'node:26-trixie-slim';

async function withContainer(
  migrate: '0' | '1',
  work: (engine: Engine, id: string) => Promise<void>,
): Promise<void> {
  const engine = new Engine();
  const container = await engine.docker.createContainer({
    name: `tasuki-test-doctor-${randomBytes(6).toString('hex')}`,
    Image: IMAGE,
    Entrypoint: ['sleep'],
    Cmd: ['120'], // leaves by itself, should this test be killed
    User: '1000:1000',
    HostConfig: {
      AutoRemove: true,
      Init: true,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Memory: 256 * 1024 * 1024,
      PidsLimit: 128,
      Sysctls: { 'net.ipv4.tcp_migrate_req': migrate },
    },
  });
  try {
    await container.start();
    await work(engine, container.id);
  } finally {
    await container.remove({ force: true }).catch(() => {}); // removed on its own when it has ended
  }
}

void test(
  'a kernel told to migrate answers every connection that waited at a killed listener',
  { timeout: 60_000 },
  async () => {
    await withContainer('1', async (engine, id) => {
      const result = await probeMigration(engine, id);
      const verdict = judgeMigration(result);
      // A machine at its limit may wake the successor late, which is a warning; losing a connection is not.
      assert.ok(['ok', 'warn'].includes(verdict.level), JSON.stringify({ verdict, result }));
      assert.equal(result.error, null);
      assert.ok(result.tries.length > 0);
      assert.ok(
        result.tries.every(({ reset, slept, lost }) => reset + slept + lost === 0),
        JSON.stringify(result),
      );
    });
  },
);

void test(
  'negative control: a kernel not told to migrate resets them, and the probe says so',
  { timeout: 60_000 },
  async () => {
    await withContainer('0', async (engine, id) => {
      const result = await probeMigration(engine, id);
      const verdict = judgeMigration(result);
      assert.equal(verdict.level, 'fail', JSON.stringify({ verdict, result }));
      assert.ok(
        result.tries.every(({ connections, reset }) => reset === connections),
        JSON.stringify(result),
      );
      assert.match(verdict.found, /reset/);
      assert.match(verdict.advice ?? '', /tcp_migrate_req: 1/);
    });
  },
);

void test('a container without Node says why it cannot be probed', { timeout: 60_000 }, async () => {
  await withContainer('1', async (engine, id) => {
    const result = await probeMigration(engine, id, '/nowhere/node');
    assert.notEqual(result.error, null);
    assert.equal(judgeMigration(result).level, 'warn');
  });
});
