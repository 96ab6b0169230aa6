import { cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import zlib from 'node:zlib';
import { build, type BuildOptions, type Plugin } from 'esbuild';

/**
 * Bundles the app, the handover library and the deployer into dist/. `node build.ts app` builds only what the image
 * carries.
 */

// Bundled CommonJS packages call require() for Node's own modules, which an ES module has not.
const requireBanner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

// `import` of node:http evaluates all its exports, and one is a getter that loads undici: 25 ms in each process.
// The exporter of traces imports it late, and takes two of the exports.
const lightHttp: Plugin = {
  name: 'light-http',
  setup(builder) {
    builder.onResolve({ filter: /^(node:)?http$/ }, ({ kind, path, importer }) => {
      if (kind === 'import-statement') return { path, namespace: 'light-http' };
      const late = kind === 'dynamic-import' && importer.includes('otlp-exporter-base');
      return late ? { path, namespace: 'late-http' } : undefined;
    });
    builder.onLoad({ filter: /.*/, namespace: 'light-http' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
    }));
    builder.onLoad({ filter: /.*/, namespace: 'late-http' }, () => ({
      contents: "export const { Agent, request } = process.getBuiltinModule('node:http');",
    }));
  },
};

// dockerode loads an SSH client and gRPC for engines and builds that most never use: 60 ms of every command. They stay
// packages on disk, loaded at first use.
const rarelyUsed: Plugin = {
  name: 'rarely-used',
  setup(builder) {
    builder.onResolve({ filter: /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader)$/ }, ({ path, namespace }) =>
      namespace === 'rarely-used' ? { path, external: true } : { path, namespace: 'rarely-used' },
    );
    builder.onLoad({ filter: /.*/, namespace: 'rarely-used' }, ({ path }) => ({
      contents:
        path === 'ssh2' // its Client is taken at load time, so the class itself must be the late one
          ? "exports.Client = function (...args) { return new (require('ssh2').Client)(...args); };"
          : `module.exports = new Proxy({}, { get: (_, key) => require('${path}')[key] });`,
    }));
  },
};

// The library of the figures loads OpenTelemetry's API for a feature that nobody switched on.
const noExemplars: Plugin = {
  name: 'no-exemplars',
  setup(builder) {
    builder.onResolve({ filter: /^@opentelemetry\/api$/ }, ({ importer, path }) =>
      importer.includes('@prometheus-io') ? { path, namespace: 'no-exemplars' } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'no-exemplars' }, () => ({ contents: 'module.exports = {};' }));
  },
};

interface Target extends BuildOptions {
  entryPoints: Record<string, string>;
  outdir: string;
}

// Split: the supervisor loads main.js alone, and `ctl` itself; Express, the drivers and the like stay in files that only
// who needs them opens.
const app: Target[] = [
  { entryPoints: { main: 'app/main.ts', ctl: 'app/ctl.ts' }, outdir: 'dist/app', splitting: true },
];

const tools: Target[] = [
  {
    entryPoints: { index: 'app/handover/index.ts', ctl: 'app/ctl.ts' },
    outdir: 'dist/handover',
    splitting: true,
  },
  // The launcher runs it with a modern Node; nothing of the app is in it.
  { entryPoints: { deploy: 'deployer/main.ts' }, outdir: 'dist/deploy', splitting: true },
];

async function bundle(target: Target): Promise<string[]> {
  const { metafile } = await build({
    bundle: true,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minify: false,
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'warning',
    chunkNames: 'chunk-[name]-[hash]',
    banner: { js: requireBanner },
    plugins: [lightHttp, rarelyUsed, noExemplars],
    ...target,
  });
  return Object.keys(metafile?.outputs ?? {});
}

/**
 * Static files: each name carries a hash of the content, so that a browser may keep it for good, and the smaller forms are
 * made here once instead of at each request, each in a folder called like its encoding. Returns what was written.
 */
async function bundleAssets(): Promise<string[]> {
  const { metafile, outputFiles } = await build({
    entryPoints: ['app/web/assets/*'],
    outdir: 'dist/app/assets',
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    metafile: true,
    write: false,
    loader: { '.svg': 'copy' },
    logLevel: 'warning',
  });
  await mkdir('dist/app/assets', { recursive: true });
  const written: string[] = [];
  const write = async (path: string, contents: Uint8Array | string): Promise<void> => {
    await writeFile(path, contents);
    written.push(path);
  };
  for (const { path, contents } of outputFiles) {
    const smaller = {
      br: zlib.brotliCompressSync(contents),
      zstd: zlib.zstdCompressSync(contents, { params: { [zlib.constants.ZSTD_c_compressionLevel]: 19 } }),
      gzip: zlib.gzipSync(contents, { level: 9 }),
    };
    const [folder, name] = [relative('.', dirname(path)), basename(path)];
    await write(join(folder, name), contents);
    for (const [encoding, bytes] of Object.entries(smaller)) {
      await mkdir(join(folder, encoding), { recursive: true });
      if (bytes.length < contents.length) await write(join(folder, encoding, name), bytes);
    }
  }
  const names = Object.entries(metafile.outputs).flatMap(([output, { entryPoint }]) =>
    entryPoint ? [[basename(entryPoint), basename(output)]] : [],
  );
  await write('dist/app/assets/manifest.json', JSON.stringify(Object.fromEntries(names)));
  return written;
}

/** SQL files are read at run time, as they are. */
async function copyMigrations(): Promise<string[]> {
  const [from, to] = ['app/db/migrations', 'dist/app/migrations'];
  await cp(from, to, { recursive: true });
  return (await readdir(from)).map((name) => `${to}/${name}`);
}

/** The dashboard of the jobs serves its page and scripts as they are. */
async function copyDashboard(): Promise<string[]> {
  const [from, to] = ['node_modules/@bull-board/ui/dist', 'dist/app/dashboard/dist'];
  await cp(from, to, { recursive: true });
  return (await readdir(from, { recursive: true })).map((name) => `${to}/${name}`);
}

const appOnly = process.argv[2] === 'app';
const bundles = (appOnly ? app : [...app, ...tools]).map(bundle);
const copies = [bundleAssets(), copyMigrations(), copyDashboard()];
const made = new Set((await Promise.all([...bundles, ...copies])).flat());
// Chunks of former builds go last: a command that runs meanwhile may still load its own.
for (const file of await readdir('dist', { recursive: true })) {
  const path = `dist/${file}`;
  const ours = file.startsWith('app/') || (!appOnly && /\.js(\.map)?$/.test(file));
  if (ours && !made.has(path) && (await stat(path)).isFile()) await rm(path);
}
// The image has no package.json but this: it makes `node main.js` and `node ctl` ES modules.
await writeFile('dist/app/package.json', '{ "type": "module" }\n');
