import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { doctor } from '../../deployer/commands/doctor.ts';
import { fail, ok, runCheck, type Check, type Finding } from '../../deployer/doctor/check.ts';
import { gather, type Facts } from '../../deployer/doctor/facts.ts';
import { CHECKS } from '../../deployer/doctor/index.ts';
import {
  findingJson,
  findingLines,
  fixLine,
  summarise,
  summaryLine,
  type FixResult,
} from '../../deployer/doctor/report.ts';
import { treat } from '../../deployer/doctor/treat.ts';
import type { Globals } from '../../deployer/run.ts';

const lack = {
  why: 'the stack is not up',
  detail: 'the stack is not up: pod',
  advice: 'docker compose up -d',
};
const check: Check = { id: 'it', title: 'this', needs: ['engine', 'pod'], run: () => ok('this is fine') };
const factsOf = (missing: Facts['missing']) => ({ missing }) as Facts;
const finding = (level: Finding['level']): Finding => ({
  id: 'it',
  title: 'this',
  level,
  found: 'found',
  advice: 'do that',
});

void test('a check whose need is missing says why and what to do instead of running', async () => {
  assert.deepEqual(await runCheck(check, factsOf({ pod: lack })), {
    id: 'it',
    title: 'this',
    level: 'skipped',
    found: 'this: not checked, the stack is not up',
    advice: 'docker compose up -d',
  });
  assert.equal((await runCheck(check, factsOf({ idle: lack }))).level, 'ok');
});

void test('a check that throws or never ends is a warning of its own', async () => {
  const thrown = await runCheck({ ...check, run: () => Promise.reject(new Error('boom')) }, factsOf({}));
  assert.equal(thrown.level, 'warn');
  assert.match(thrown.found, /this: could not be checked: boom/);
  const endless = await runCheck({ ...check, run: () => new Promise(() => {}) }, factsOf({}), 10);
  assert.match(endless.found, /no answer within/);
});

void test('a fix is done when it is safe, one that is not only with consent, and a failed one says why', async () => {
  const done: string[] = [];
  const fixOf = (what: string, safe: boolean, error?: Error) => ({
    what,
    safe,
    do: async () => {
      if (error) throw error;
      done.push(what);
    },
  });
  const findings = [
    { id: 'a', title: 'a', ...fail('a', 'a', fixOf('safe', true)) },
    { id: 'b', title: 'b', ...fail('b', 'b', fixOf('risky', false)) },
    { id: 'c', title: 'c', ...fail('c', 'c', fixOf('broken', true, new Error('no room'))) },
    { id: 'd', title: 'd', ...ok('d') },
  ];
  const results: FixResult[] = [];
  assert.deepEqual(await treat(findings, false, (result) => results.push(result)), ['a']);
  assert.deepEqual(done, ['safe']);
  assert.deepEqual(results.map(fixLine), [
    'fixed safe',
    'not fixed: risky: it needs your consent: add --yes',
    'not fixed: broken: no room',
  ]);
  assert.deepEqual(await treat(findings, true, () => {}), ['a', 'b']);
});

void test('a failure is exit 1; warnings and what was skipped are not', () => {
  assert.equal(summarise([finding('ok'), finding('warn'), finding('skipped')], 0).exit, 0);
  const bad = summarise([finding('ok'), finding('fail')], 2);
  assert.equal(bad.exit, 1);
  assert.equal(summaryLine(bad), 'not ready to deploy: 1 ok, 0 to look at, 1 failed, 0 skipped, 2 fixed');
});

void test('a finding is a line and its advice the next; what was skipped is one line', () => {
  assert.deepEqual(findingLines(finding('fail')), ['fail  found', '      -> do that']);
  assert.deepEqual(findingLines(finding('skipped')), ['skip  found -> do that']);
  const { fix } = JSON.parse(
    findingJson({ ...finding('warn'), fix: { what: 'mend', safe: true, do: async () => {} } }),
  ) as {
    fix: unknown;
  };
  assert.deepEqual(fix, { what: 'mend', safe: true });
});

void test('no two checks have the same id', () => {
  assert.equal(new Set(CHECKS.map(({ id }) => id)).size, CHECKS.length);
});

void test('in a folder without a project the command still reports, one JSON object for each check and a summary', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'tasuki-doctor-'));
  const lines: string[] = [];
  const globals: Globals = {
    files: [],
    cwd,
    env: { TASUKI_STATE_DIR: join(cwd, 'state') },
    hooks: true,
    dryRun: false,
    yes: false,
    json: true,
    emit: () => {},
    print: (line) => lines.push(line),
    onInterrupt: () => {},
  };
  try {
    assert.equal(await doctor(globals, true), 1);
    const all = lines.map(
      (line) => JSON.parse(line) as { type: string; id?: string; level?: string; fail?: number },
    );
    assert.deepEqual(
      all.filter(({ type }) => type === 'finding').map(({ id }) => id),
      CHECKS.map(({ id }) => id),
    );
    assert.equal(all.find(({ id }) => id === 'config')?.level, 'fail');
    assert.equal(all.find(({ id }) => id === 'migration')?.level, 'skipped');
    assert.equal(all.at(-1)?.type, 'summary');
    assert.ok((await gather(globals)).missing.config);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
});
