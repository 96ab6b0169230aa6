import assert from 'node:assert/strict';
import { totalmem } from 'node:os';
import { describe, it } from 'node:test';
import { shortage, startsOf, type Need, type Room } from '../../deployer/core/headroom.ts';
import { makePlan } from '../../deployer/core/plan.ts';
import { measureRoom, requireRoom, usedMemory } from '../../deployer/core/room.ts';
import type { Config } from '../../deployer/config.ts';
import type { Engine } from '../../deployer/engine/docker.ts';
import type { Instance } from '../../deployer/engine/instance.ts';
import { deploySchema } from '../../deployer/schema.ts';
import { formatSize, parseSize } from '../../deployer/size.ts';
import { PLAIN } from '../support/plans.ts';

const MIB = 1024 ** 2;
const settings = deploySchema.parse({ 'free-memory': '64m', 'free-disk': '500m' });
const room = (memory: number, free: number): Room => ({
  memory: memory * MIB,
  disk: { path: '/data', free: free * MIB },
});
const need = (containers: number, memoryOfEach: number, image = 0): Need => ({
  containers,
  memoryOfEach: memoryOfEach * MIB,
  image: image * MIB,
});

describe('the room a deploy must find', () => {
  const cases: [string, Room, Need, string | null][] = [
    ['is there to the byte', room(364, 500), need(2, 150), null],
    ['is not there when one MiB of memory lacks', room(363, 500), need(2, 150), 'NO_MEMORY'],
    ['is less for a deploy that parks nothing', room(214, 500), need(1, 150), null],
    ['is the reserve alone when nothing serves', room(64, 500), need(1, 0), null],
    ['is not there when the disk is nearly full', room(4000, 499), need(2, 150), 'NO_DISK'],
    ['is more for an image that must come first', room(4000, 700), need(2, 150, 264), 'NO_DISK'],
    ['is there for that image', room(4000, 764), need(2, 150, 264), null],
    ['is not asked of a disk that cannot be seen', { memory: 4000 * MIB, disk: null }, need(2, 150), null],
  ];
  for (const [what, found, wanted, code] of cases) {
    it(what, () => assert.equal(shortage(found, wanted, settings)?.details.code ?? null, code));
  }

  it('is told with what was found, what is needed and why, and what to type', () => {
    const { what, limit, next, evidence } = shortage(room(100, 40), need(2, 150, 264), settings)!.details;
    assert.match(what, /^not enough memory .*: 100 MiB available$/);
    assert.match(limit ?? '', /^364 MiB: 2 × 150 MiB, .*, and 64 MiB \(x-deploy\.free-memory\)$/);
    assert.match(next, /^docker stats .*; deploy prune /);
    assert.deepEqual(evidence, [
      'not enough disk for the next release: 40 MiB free; limit: 764 MiB: 264 MiB, an image as large as the one that serves, and 500 MiB (x-deploy.free-disk)',
    ]);
    assert.match(shortage(room(4000, 40), need(2, 150), settings)!.details.next, /^deploy prune --last 1 /);
  });

  it('is not looked at where a setting says false', () => {
    const off = deploySchema.parse({ 'free-memory': false, 'free-disk': false });
    assert.equal(shortage(room(0, 0), need(2, 150, 264), off), null);
    const { code } = shortage(room(0, 0), need(2, 150), { ...settings, 'free-memory': false })!.details;
    assert.equal(code, 'NO_DISK');
  });
});

const serving = {
  id: 'app-1',
  name: 'app-1',
  release: 'r1',
  image: 'app:r1',
  imageId: 'one',
  visible: true,
  running: true,
  status: 'running',
  exitCode: 0,
  createdAt: '',
  stopTimeout: 10,
  held: null,
  keepUntil: null,
} satisfies Instance;
const observed = {
  record: { version: 1 as const, serving: 'r1', known: [], at: '' },
  instances: [serving],
  pod: null,
  url: null,
  route: null,
  remembered: 'r1',
  proxies: [],
};
const next = {
  kind: 'deploy',
  release: 'r2',
  image: 'app:r2',
  build: false,
  pull: false,
  hold: false,
  smoke: true,
  token: '',
} as const;

describe('what a deploy takes', () => {
  it('is a container of the next release and a twin of the one it parks', () => {
    assert.equal(startsOf(makePlan(next, observed, { ...PLAIN, park: true })), 2);
    assert.equal(startsOf(makePlan(next, observed, { ...PLAIN, park: false })), 1);
    assert.equal(startsOf(makePlan(next, { ...observed, instances: [] }, { ...PLAIN, park: true })), 1);
  });

  it('of memory leaves out the files that the kernel would drop, by the names of both cgroup versions', () => {
    assert.equal(usedMemory({ usage: 100, stats: { inactive_file: 30 } }), 70);
    assert.equal(usedMemory({ usage: 100, stats: { total_inactive_file: 40, inactive_file: 30 } }), 60);
    assert.equal(usedMemory({}), 0);
  });

  /** An engine whose container uses 150 MiB and whose images have 264. */
  const engine = {
    docker: {
      getContainer: () => ({ stats: async () => ({ memory_stats: { usage: 150 * MIB } }) }),
      getImage: () => ({ inspect: async () => ({ Size: 264 * MIB }) }),
    },
  } as unknown as Engine;
  const config = { settings } as Config;
  const ask = async (desired: Parameters<typeof requireRoom>[3], found: Room | null): Promise<void> =>
    await requireRoom(engine, config, observed, desired, {
      ...PLAIN,
      park: true,
      measuring: Promise.resolve(found),
    });

  it('is judged by the release that serves', async () => {
    await ask(next, room(364, 500));
    await assert.rejects(ask(next, room(363, 500)), { message: /: 363 MiB available$/ });
  });

  it('counts an image on the disk only where one is pulled or built', async () => {
    await ask(next, room(4000, 763));
    await assert.rejects(ask({ ...next, pull: true }, room(4000, 763)), { message: /: 763 MiB free$/ });
    await assert.rejects(ask({ ...next, build: true }, room(4000, 763)), { message: /: 763 MiB free$/ });
  });

  it('is nothing for a rollback to what is warm, and is not asked where the engine is elsewhere', async () => {
    await ask({ kind: 'rollback', to: serving }, room(0, 0));
    await ask(next, null);
  });
});

describe('the room of this machine', () => {
  const engineWith = (info: object): Engine => ({ docker: { info: async () => info } }) as unknown as Engine;

  it('is measured where the engine sees the same memory', async () => {
    const found = await measureRoom(engineWith({ MemTotal: totalmem(), DockerRootDir: '/' }));
    assert.ok(found?.disk && found.disk.free > 0);
    assert.ok(found.memory > 0 && found.memory <= totalmem());
    const unseen = await measureRoom(engineWith({ MemTotal: totalmem(), DockerRootDir: '/not/here' }));
    assert.equal(unseen?.disk, null);
  });

  it('is not taken for that of an engine on another machine', async () => {
    assert.equal(await measureRoom(engineWith({ MemTotal: 1, DockerRootDir: '/' })), null);
  });
});

describe('a size', () => {
  for (const [text, bytes] of [
    ['64m', 64 * MIB],
    ['500MB', 500 * MIB],
    ['1.5g', 1536 * MIB],
    ['2GiB', 2048 * MIB],
    [1024, 1024],
    ['0', 0],
    ['much', undefined],
    ['-1m', undefined],
    ['', undefined],
  ] as const) {
    it(`is read as Compose reads it: "${text}"`, () => assert.equal(parseSize(text), bytes));
  }

  it('is told to people in the unit that fits', () => {
    assert.deepEqual([0, 40 * 1024, 120 * MIB, 1.3 * 1024 * MIB].map(formatSize), [
      '0 KiB',
      '40 KiB',
      '120 MiB',
      '1.3 GiB',
    ]);
  });
});
