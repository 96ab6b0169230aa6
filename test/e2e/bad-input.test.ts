import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assertRefused, Desk, NO_ENGINE, ROOT } from '../fixtures/desk.ts';

const IMAGE = ['--image', 'app:v2'];
const compose = await readFile(join(ROOT, 'compose.yaml'), 'utf8');

describe('a command line that makes no sense', () => {
  const cases: [string, string[], RegExp][] = [
    ['an unknown flag', ['--imag', 'app:v2'], /unknown option '--imag' \(Did you mean --image\?\)/],
    ['an unknown flag of a command', ['status', '--frob'], /unknown option '--frob'/],
    ['an unknown word', ['sttaus'], /"sttaus" is not a command; there are: init, status, rollback, /],
    ['an image without its flag', ['app:v2'], /to deploy that image: deploy --image app:v2/],
    ['a word too many', ['status', 'now'], /too many arguments for 'status'.*: now/],
    ['no image', [], /say which image: deploy --image NAME:TAG, or deploy --build/],
    ['both --image and --build', [...IMAGE, '--build'], /--image and --build do not go together/],
    ['--image with another command', ['status', ...IMAGE], /they do not go with "status"/],
    ['--image without a name', ['--image'], /option '--image <name:tag>' argument missing/],
    ['a bad image name', ['--image', 'App:v2'], /"App:v2" is not an image name such as app:v2/],
    ['an image name with a space', ['--image', 'app v2'], /"app v2" is not an image name/],
    ['an image name without its tag', ['--image', 'app:'], /"app:" is not an image name/],
    ['--scale that is no number', [...IMAGE, '--scale', 'app=many'], /as in app=3, not "app=many"/],
    [
      '--scale of a release that is held',
      [...IMAGE, '--hold', '--scale', 'app=3'],
      /--hold and --scale do not go together/,
    ],
    [
      '--hold with another command',
      ['status', '--hold'],
      /--hold, --scale, --service and --no-smoke make a deploy, they do not go with "status"/,
    ],
    [
      'a share of nothing',
      [...IMAGE, '--canary', '0'],
      /"0" is not a share such as 10%, nor rising shares such as 5,25/,
    ],
    ['shares that do not rise', [...IMAGE, '--steps', '25,5'], /"25,5" is not a share such as 10%/],
    ['--for alone', [...IMAGE, '--for', '5s'], /give --canary or --steps/],
    ['--canary and --steps', [...IMAGE, '--canary', '5', '--steps', '5,25'], /do not go together/],
    ['a bad duration', [...IMAGE, '--timeout', 'soon'], /--timeout: "soon" is not a duration such as 500ms/],
    ['a duration below zero', [...IMAGE, '--timeout=-5s'], /--timeout: "-5s" is not a duration/],
    ['no time at all', [...IMAGE, '--drain-timeout', '0'], /--drain-timeout must be more than 0/],
    ['a bad number of lines', ['logs', '--tail', 'few'], /--tail takes a number or "all", not "few"/],
    ['a bad number of images', ['prune', '--last', 'few'], /--last takes a number, not "few"/],
    ['no number of images', ['prune', '--last=-1'], /--last takes a number, not "-1"/],
    ['an unknown shell', ['completion', 'tcsh'], /completion takes bash, zsh or fish, not "tcsh"/],
    ['no shell', ['completion'], /missing required argument 'shell'/],
    ['a maintenance that is neither', ['maintenance', 'maybe'], /maintenance is on or off, not "maybe"/],
    [
      'a page for no maintenance',
      ['maintenance', 'off', '--page', 'x'],
      /--page goes with: deploy maintenance on/,
    ],
    ['a pause of nobody', ['pause', '--at-most', '0'], /--at-most takes a number up to 9999, not "0"/],
    ['a pause longer than the proxy waits', ['pause', '--for', '2m'], /the proxy gives up on requests/],
    ['a bad project name', ['-p', '../x', 'status'], /"\.\.\/x" is not a Compose project name/],
  ];
  for (const [what, args, says] of cases) {
    it(`is refused with exit code 2 and what to type instead: ${what}`, async () => {
      await using desk = await Desk.make(compose);
      assertRefused(await desk.deploy(args, NO_ENGINE), 2, says);
    });
  }

  it('is one line of JSON on standard output with --json', async () => {
    await using desk = await Desk.make(compose);
    for (const [args, exit] of [
      [['--json', '--frob'], 2],
      [['--json', '-f', 'none.yaml', ...IMAGE], 78],
      [['--json', ...IMAGE], 1],
    ] as const) {
      const { exitCode, stdout, stderr } = await desk.deploy([...args], NO_ENGINE);
      assert.equal(exitCode, exit);
      assert.equal(stderr, '');
      assert.equal(stdout.split('\n').length, 1);
      const { v, type, error } = JSON.parse(stdout) as {
        v: number;
        type: string;
        error: Record<string, string>;
      };
      assert.deepEqual([v, type], [1, 'error']);
      assert.ok(error.code && error.what && error.next, stdout);
    }
  });

  it('is easy to correct: help of every command exits 0 and shows examples', async () => {
    await using desk = await Desk.make(null);
    const commands = [
      'status',
      'rollback',
      'preview',
      'admit',
      'abort',
      'maintenance',
      'pause',
      'resume',
      'history',
      'logs',
      'doctor',
      'prune',
      'config',
      'completion',
      'unlock',
    ];
    const asked = [['--help'], ['help'], ['help', 'status'], ...commands.map((word) => [word, '--help'])];
    for (const args of asked) {
      const { exitCode, stdout, stderr } = await desk.deploy(args, NO_ENGINE);
      assert.deepEqual([exitCode, stderr], [0, ''], args.join(' '));
      assert.match(stdout, /^Usage: deploy/);
      assert.match(stdout, /\nExamples:\n {2}deploy /);
      assert.doesNotMatch(stdout, /undefined|default: (false|\[\])/);
    }
  });
});
