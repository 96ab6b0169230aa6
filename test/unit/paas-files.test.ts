import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { load } from 'js-yaml';
import * as z from 'zod';
import { loadConfig, ROLES } from '../../app/config.ts';
import { parseProcfile } from '../support/procfile.ts';

/** Procfile, heroku.yml and app.json against the formats their reader has published. */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

const PROCESS = z.record(z.string().regex(/^[A-Za-z0-9_-]{1,30}$/), z.unknown());

// Heroku Dev Center, "app.json Schema" (December 2024); the limits of lengths are those of the package app.json 1.3.0, the
// sizes and stacks those of the JSON schema in @heroku/mcp-server 1.0.7, which is the strictest.
const ENV_NAME = /^[A-Z][A-Z0-9_]*$/;
const APP_JSON = z.strictObject({
  name: z
    .string()
    .min(3)
    .max(30)
    .regex(/^[a-zA-Z-_.]+/),
  description: z.string().max(140).optional(),
  keywords: z.array(z.string()).optional(),
  website: z.url().optional(),
  repository: z.url().optional(),
  logo: z.url().optional(),
  success_url: z.string().optional(),
  scripts: z.strictObject({ postdeploy: z.string(), 'pr-predestroy': z.string() }).partial().optional(),
  env: z.record(
    z.string().regex(ENV_NAME),
    z.strictObject({
      description: z.string().optional(),
      value: z.string().optional(),
      required: z.boolean().optional(),
      generator: z.literal('secret').optional(),
    }),
  ),
  formation: z.record(
    z.string(),
    z.strictObject({
      quantity: z.int().min(0),
      size: z
        .enum(['eco', 'basic', 'standard-1x', 'standard-2x', 'performance-m', 'performance-l'])
        .optional(),
    }),
  ),
  addons: z.array(
    z.union([
      z.string(),
      z.strictObject({ plan: z.string(), as: z.string().optional(), options: z.object().optional() }),
    ]),
  ),
  buildpacks: z.array(z.strictObject({ url: z.string() })),
  environments: z.partialRecord(z.enum(['test', 'review', 'production']), z.unknown()).optional(),
  stack: z.enum(['heroku-22', 'heroku-24']),
  image: z.string().optional(),
});

// Heroku Dev Center, "Building Docker Images with heroku.yml" (April 2024), with the stages of changelog item 1524.
const COMMAND = z.union([z.string(), z.array(z.string()).min(1)]);
const HEROKU_YML = z.strictObject({
  setup: z.strictObject({
    addons: z.array(z.strictObject({ plan: z.string(), as: z.string().optional() })),
    config: z.record(z.string().regex(ENV_NAME), z.string()),
  }),
  build: z.strictObject({
    docker: z.record(
      z.string(),
      z.union([z.string(), z.strictObject({ dockerfile: z.string(), target: z.string() })]),
    ),
    config: z.record(z.string(), z.string()).optional(),
  }),
  release: z.strictObject({ image: z.string().optional(), command: COMMAND }),
  run: z.record(
    z.string(),
    z.union([z.string(), z.strictObject({ image: z.string().optional(), command: COMMAND })]),
  ),
});

const appJson = APP_JSON.parse(JSON.parse(read('app.json')));
const herokuYml = HEROKU_YML.parse(load(read('heroku.yml')));
const procfile = parseProcfile(read('Procfile'));

void test('a key that the format does not know would be noticed', () => {
  assert.ok(!APP_JSON.safeParse({ ...appJson, addon: [] }).success);
  assert.ok(!HEROKU_YML.safeParse({ ...herokuYml, runs: {} }).success);
  assert.throws(() => parseProcfile('web sh bin/app\n'), /Procfile/);
});

void test('both ways start the same roles, and there is no other process', () => {
  PROCESS.parse(procfile);
  const roles = Object.fromEntries(
    Object.entries(procfile).map(([name, line]) => [name, /^sh bin\/app ([a-z]+)$/.exec(line)?.[1]]),
  );
  assert.deepEqual(roles, { release: 'migrate', web: 'web', worker: 'worker' });
  const commandOf = (process: z.infer<typeof HEROKU_YML>['run'][string]): string =>
    [typeof process === 'string' ? process : process.command].flat().join(' && ');
  const commands = Object.entries(herokuYml.run).map(([name, process]) => [name, commandOf(process)]);
  const release = commandOf(herokuYml.release);
  assert.deepEqual(Object.fromEntries([...commands, ['release', release]]), roles);
  for (const role of Object.values(roles))
    assert.ok(
      ROLES.some((known) => known === role),
      role,
    );
});

void test('the image of heroku.yml is that of the Dockerfile, whose entry point takes a role', () => {
  assert.deepEqual(herokuYml.build.docker, { web: 'Dockerfile' });
  const dockerfile = read('Dockerfile');
  assert.match(dockerfile, /^ENTRYPOINT \["node", .*"main\.js"\]$/m);
  assert.match(dockerfile, /^CMD \["web"\]$/m);
  assert.doesNotMatch(dockerfile, /^VOLUME/m);
});

void test('both ways ask for the same add-ons and set the same variables, all of which are accepted', () => {
  assert.deepEqual(
    herokuYml.setup.addons.map(({ plan }) => plan),
    appJson.addons,
  );
  const values = Object.entries(appJson.env).flatMap(([name, { value }]) =>
    value === undefined ? [] : [[name, value]],
  );
  const set = Object.fromEntries(values) as Record<string, string>;
  assert.deepEqual(herokuYml.setup.config, set);
  const given = {
    ...set,
    JAWSDB_URL: 'mysql://u:p@db/name',
    REDIS_URL: 'rediss://:p@redis:6380',
    DYNO: 'web.1',
  };
  const { redisUrl, children, database } = loadConfig(given);
  assert.deepEqual([children, database.pool], [2, 2]);
  assert.match(redisUrl ?? '', /ssl=no-verify/);
});

void test('every variable of app.json is one that the app reads', () => {
  const source = read('app/config.ts');
  for (const name of Object.keys(appJson.env)) assert.match(source, new RegExp(`\\b${name}\\b`));
});

void test('what the launcher starts is in the repository or made by the build, and npm keeps its Node', () => {
  assert.ok(existsSync(join(ROOT, 'bin/app')));
  const { dependencies, scripts } = JSON.parse(read('package.json')) as Record<
    string,
    Record<string, string>
  >;
  assert.ok(dependencies?.node, 'a development dependency would be pruned');
  assert.ok(scripts?.build);
});

/** The launcher in a folder of its own, beside Nodes that say which they are. */
function launcher(t: TestContext, own: string | null) {
  const folder = mkdtempSync(join(tmpdir(), 'tasuki-launcher-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = (path: string, text: string): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, path), 0o755);
  };
  cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true });
  script('path/node', 'echo platform "$@"');
  if (own) script('node_modules/node/bin/node', own);
  const env = { PATH: `${join(folder, 'path')}:/usr/bin:/bin` };
  return execa('sh', ['-c', procfile.web ?? ''], { cwd: folder, env, extendEnv: false });
}

void test("the launcher takes the Node that npm installed, else the platform's", async (t) => {
  assert.match((await launcher(t, 'echo own "$@"')).stdout, /^own --\S+ \S*dist\/app\/main\.js web$/);
  assert.match((await launcher(t, null)).stdout, /^platform /);
  // Installed, but a library is missing: it cannot even say its version.
  assert.match((await launcher(t, 'exit 127')).stdout, /^platform /);
});
