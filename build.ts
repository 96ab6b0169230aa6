import { readdir, rm, writeFile } from 'node:fs/promises';
import { build, type BuildOptions, type Plugin } from 'esbuild';

/**
 * Bundles the app, the handover library and the deployer into dist/. `node build.ts app` builds only what the image
 * carries.
 */

// Bundled CommonJS packages call require() for Node's own modules, which an ES module has not.
const requireBanner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

// `import` of node:http evaluates all its exports, and one is a getter that loads undici: 25 ms in each process.
const lightHttp: Plugin = {
  name: 'light-http',
  setup(builder) {
    builder.onResolve({ filter: /^(node:)?http$/ }, ({ kind, path }) =>
      kind === 'import-statement' ? { path, namespace: 'light-http' } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'light-http' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
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

interface Target extends BuildOptions {
  entryPoints: Record<string, string>;
  outdir: string;
}

const app: Target[] = [
  // Split: the supervisor loads main.js alone, Express and the database driver stay in files only children open.
  { entryPoints: { main: 'app/main.ts' }, outdir: 'dist/app', splitting: true },
  { entryPoints: { ctl: 'app/ctl.ts' }, outdir: 'dist/app' },
];

const tools: Target[] = [
  { entryPoints: { index: 'app/handover/index.ts', ctl: 'app/ctl.ts' }, outdir: 'dist/handover' },
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
    plugins: [lightHttp, rarelyUsed],
    ...target,
  });
  return Object.keys(metafile?.outputs ?? {});
}

const appOnly = process.argv[2] === 'app';
const made = new Set((await Promise.all((appOnly ? app : [...app, ...tools]).map(bundle))).flat());
// Chunks of former builds go last: a command that runs meanwhile may still load its own.
for (const file of await readdir('dist', { recursive: true })) {
  const path = `dist/${file}`;
  if (/\.js(\.map)?$/.test(file) && !made.has(path) && !(appOnly && !file.startsWith('app/'))) await rm(path);
}
// The image has no package.json but this: it makes `node main.js` and `node ctl` ES modules.
await writeFile('dist/app/package.json', '{ "type": "module" }\n');
