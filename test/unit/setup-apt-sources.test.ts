import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  deriveSources,
  formatDeb822,
  formatPreferences,
  mainSource,
  parseDeb822,
  parseOneLine,
} from '../../setup/apt-sources.ts';
import { findDebianSource } from '../../setup/debian-mirror.ts';
import { SetupError } from '../../setup/errors.ts';

const deb822 = `Types: deb deb-src
# a comment within the stanza
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.invalid/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;

const oneLine = `# the machine's own
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.invalid/debian bookworm main contrib
deb-src http://mirror.invalid/debian bookworm main
deb http://mirror.invalid/debian-security bookworm-security main # fixes
`;

const otherVendor = `Types: deb
URIs: https://vendor.invalid/node
Suites: nodistro
Components: main
`;

const debian = {
  id: 'debian',
  version: '12',
  codename: 'bookworm',
  name: 'Debian 12',
  root: true,
  systemd: false,
};

void test('a suite derived from deb822 sources keeps mirror, components and key, and drops backports', () => {
  const derived = formatDeb822(deriveSources(parseDeb822(deb822), 'bookworm', 'trixie'));
  assert.equal(
    derived,
    `Types: deb
URIs: http://mirror.invalid/debian
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.invalid/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
  );
});

void test('a suite derived from an old-style sources.list says the same', () => {
  const derived = deriveSources(parseOneLine(oneLine), 'bookworm', 'trixie');
  assert.deepEqual(
    derived.map(({ uris, suites, components }) => ({ uris, suites, components })),
    [
      { uris: ['http://mirror.invalid/debian'], suites: ['trixie'], components: ['main', 'contrib'] },
      { uris: ['http://mirror.invalid/debian-security'], suites: ['trixie-security'], components: ['main'] },
    ],
  );
  assert.equal(derived[0]?.signedBy, '/usr/share/keyrings/debian-archive-keyring.gpg');
});

void test("other vendors' sources and disabled ones are never derived from", () => {
  assert.deepEqual(deriveSources(parseDeb822(otherVendor), 'bookworm', 'trixie'), []);
  assert.deepEqual(parseDeb822(`Enabled: no\n${deb822.split('\n\n')[1]}`), []);
});

void test('sources that name the suite by its role are understood', () => {
  const sources = parseOneLine('deb http://mirror.invalid/debian stable main\n');
  assert.deepEqual(deriveSources(sources, 'bookworm', 'trixie')[0]?.suites, ['trixie']);
});

void test('a key written into the stanza survives the derivation', () => {
  const inline = `${otherVendor.replace('nodistro', 'bookworm')}Signed-By:\n -----BEGIN KEY-----\n .\n abc\n`;
  const text = formatDeb822(deriveSources(parseDeb822(inline), 'bookworm', 'trixie'));
  assert.match(text, /Signed-By:\n -----BEGIN KEY-----\n \.\n abc\n/);
});

void test('the main source is the one with the suite proper, not its security updates', () => {
  const reversed = parseDeb822(deb822).toReversed();
  assert.equal(mainSource(reversed, 'bookworm')?.uris[0], 'http://mirror.invalid/debian');
});

void test('preferences refuse the newer suite to every package but the named ones', () => {
  assert.equal(
    formatPreferences('trixie', ['docker.io', 'containerd']),
    `Package: *
Pin: release n=trixie*
Pin-Priority: -1

Package: docker.io containerd
Pin: release n=trixie*
Pin-Priority: 990
`,
  );
});

void test('stand-ins are made from the mirror that the machine uses itself', async () => {
  const trixie = await findDebianSource('trixie', debian, parseDeb822(deb822), undefined);
  assert.equal(trixie.mirror, 'http://mirror.invalid/debian');
  assert.deepEqual(
    trixie.sources.map((source) => source.suites),
    [['trixie', 'trixie-updates'], ['trixie-security']],
  );
  const sid = await findDebianSource('sid', debian, parseDeb822(deb822), undefined);
  assert.deepEqual(
    sid.sources.map((source) => source.suites),
    [['sid']],
  );
});

void test('without a Debian mirror the error names DEBIAN_MIRROR, and DEBIAN_MIRROR is then used', async () => {
  const ubuntu = { ...debian, id: 'ubuntu', codename: 'noble', name: 'Ubuntu 24.04' };
  const sources = parseOneLine('deb http://mirror.invalid/ubuntu noble main\n');
  await assert.rejects(
    findDebianSource('trixie', ubuntu, sources, undefined),
    (error: unknown) => error instanceof SetupError && error.next.includes('DEBIAN_MIRROR'),
  );
  const named = await findDebianSource('trixie', ubuntu, sources, 'http://named.invalid/debian');
  assert.equal(named.mirror, 'http://named.invalid/debian');
});
