import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { formatDeb822 } from './apt-sources.ts';
import { debianKeyring, findDebianSource } from './debian-mirror.ts';
import { aptInstall, exists, readAptSources, readMachine, requireApt } from './machine.ts';
import { sourcesFile } from './engine.ts';
import { run, type RunOptions } from './run.ts';
import type { Context, Output } from './step.ts';

/** Makes an image of a bare Debian suite with debootstrap, slimmed as the official `-slim` images are. */

const scratch = '/var/tmp'; // /tmp may be small and in memory
const scratchPrefix = 'tasuki-setup-';
const bootstrapMinutes = 20 * 60_000;

/** The tools that make base images; installed once, before work that runs side by side. */
export async function prepareBootstrap(context: Context, output: Output): Promise<void> {
  const wanted = [
    { package: 'debootstrap', file: '/usr/sbin/debootstrap' },
    { package: 'debian-archive-keyring', file: debianKeyring },
  ];
  const there = await Promise.all(wanted.map(({ file }) => exists(file)));
  const missing = wanted.filter((_, index) => there[index] !== true).map((tool) => tool.package);
  await removeLeftOvers();
  if (missing.length === 0) return;
  const machine = await readMachine();
  await requireApt(machine, missing.join(' and '));
  output.announce(`installing ${missing.join(', ')}`);
  await aptInstall(missing, context, output);
}

/** Builds `tag` from `suite`. The tag appears when the image is complete. */
export async function buildBaseImage(
  suite: string,
  tag: string,
  context: Context,
  output: Output,
): Promise<void> {
  const machine = await readMachine();
  await requireApt(machine, `the image ${tag}`);
  const machineSources = await readAptSources(sourcesFile('trixie'));
  const debian = await findDebianSource(suite, machine, machineSources, context.env['DEBIAN_MIRROR']);
  await withScratch(async (directory) => {
    const root = join(directory, 'root');
    const options = {
      what: `Making the base image ${tag}`,
      next: 'read the lines above; the Debian mirror of this machine must answer. Then start again.',
      timeoutMs: bootstrapMinutes,
      signal: context.signal,
      onLine: (line: string) => output.progress(`${tag}: ${line}`),
    };
    await bootstrap(suite, root, debian.mirror, options);
    await configure(root, formatDeb822(debian.sources));
    await slim(root, options);
    const archive = join(directory, 'root.tar');
    await run('tar', ['--numeric-owner', '--exclude=./dev/*', '-C', root, '-cf', archive, '.'], options);
    const changes = ['CMD ["bash"]', 'LABEL tasuki.stand-in=1'].flatMap((change) => ['--change', change]);
    await run('docker', ['import', ...changes, archive, tag], options);
  });
}

async function bootstrap(suite: string, root: string, mirror: string, options: RunOptions): Promise<void> {
  // In name spaces of its own: its mounts vanish with it. And it is killed with this process, however that ends.
  const guard = [
    '--pdeathsig',
    'KILL',
    'unshare',
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
  ];
  const flags = ['--variant=minbase', '--include=ca-certificates', `--keyring=${debianKeyring}`];
  // The script is named, as an older debootstrap may not know the suite's name; it is the same for all of Debian's.
  const script = '/usr/share/debootstrap/scripts/sid';
  await run('setpriv', [...guard, 'debootstrap', ...flags, suite, root, mirror, script], options);
}

/** What the official image sets up for the package manager, and this machine's certificates for a mirror with TLS. */
async function configure(root: string, sources: string): Promise<void> {
  const write = async (path: string, text: string, mode = 0o644): Promise<void> => {
    await writeFile(join(root, path), text, { mode });
  };
  await mkdir(join(root, 'etc/dpkg/dpkg.cfg.d'), { recursive: true });
  await mkdir(join(root, 'etc/apt/apt.conf.d'), { recursive: true });
  await rm(join(root, 'etc/apt/sources.list'), { force: true });
  await write('etc/apt/sources.list.d/debian.sources', sources);
  const unwanted = ['doc', 'man', 'info', 'locale', 'lintian', 'groff'];
  await write(
    'etc/dpkg/dpkg.cfg.d/docker',
    [
      'force-unsafe-io',
      ...unwanted.map((name) => `path-exclude /usr/share/${name}/*`),
      'path-include /usr/share/doc/*/copyright\n',
    ].join('\n'),
  );
  await write(
    'etc/apt/apt.conf.d/docker',
    [
      'Acquire::Languages "none";',
      'Acquire::GzipIndexes "true";',
      'Acquire::Check-Valid-Until "false"; // a mirror may lag behind',
      'APT::AutoRemove::SuggestsImportant "false";',
      'APT::Update::Post-Invoke { "rm -f /var/cache/apt/*.bin || true"; };',
      'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n',
    ].join('\n'),
  );
  await write('usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101 # no service is started in an image\n', 0o755);
  const certificates = '/usr/local/share/ca-certificates';
  if (await exists(certificates)) await cp(certificates, join(root, certificates), { recursive: true });
  const bundle = '/etc/ssl/certs/ca-certificates.crt';
  if (await exists(bundle)) await cp(bundle, join(root, bundle), { dereference: true });
}

async function slim(root: string, options: RunOptions): Promise<void> {
  const emptied = ['share/man', 'share/info', 'share/locale', 'share/lintian', 'share/groff'].map(
    (path) => `usr/${path}`,
  );
  for (const path of [...emptied, 'var/lib/apt/lists', 'var/cache/apt', 'var/log', 'tmp'])
    await empty(join(root, path));
  for (const path of ['etc/resolv.conf', 'etc/hostname', 'var/cache/ldconfig/aux-cache', 'etc/machine-id']) {
    await rm(join(root, path), { force: true });
  }
  const notCopyright = ['(', '-type', 'f', '-o', '-type', 'l', ')', '!', '-name', 'copyright', '-delete'];
  await run('find', [join(root, 'usr/share/doc'), ...notCopyright], options);
}

async function empty(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  await Promise.all(names.map((name) => rm(join(directory, name), { recursive: true, force: true })));
}

/** Gives a directory of this process for as long as the work takes. */
export async function withScratch(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(scratch, `${scratchPrefix}${process.pid}-`));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Removes what a killed set-up left. A directory's name says whose it is. */
async function removeLeftOvers(): Promise<void> {
  const names = (await readdir(scratch)).filter((name) => name.startsWith(scratchPrefix));
  for (const name of names) {
    const owner = /^\d+/.exec(basename(name).slice(scratchPrefix.length))?.[0];
    if (owner !== undefined && !(await exists(`/proc/${owner}`))) {
      await rm(join(scratch, name), { recursive: true, force: true });
    }
  }
}
