import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assertRefused, Desk, NO_ENGINE, ROOT } from '../fixtures/desk.ts';

const IMAGE = ['--image', 'app:v2'];
const compose = await readFile(join(ROOT, 'compose.yaml'), 'utf8');

describe('a project that is not right', () => {
  it('has all its problems listed at once, and exit code 78', async () => {
    const wrong = [
      '  colour: red',
      '  timeout: soon',
      '  park: maybe',
      '  health: readyz',
      '  ctl: node ctl',
      '  url: ftp://x',
    ];
    const text = compose
      .replace(/^ {2}health:.*$/m, wrong.join('\n'))
      .replace(/^ {6}RELEASE: .*$/m, '')
      .replace('image: ${TASUKI_IMAGE:-app:v1}', 'image: app:v1');
    await using desk = await Desk.make(text);
    const run = await desk.deploy(IMAGE, NO_ENGINE);
    assertRefused(run, 78, /the project is not ready \(8 problems\)/, /on: {4}\S+compose\.yaml/);
    for (const problem of [
      /x-deploy: Unrecognized key: "colour"; known are service, pod, strategy, proxy, workers, health, /,
      /x-deploy\.timeout: "soon" is not a duration such as 500ms, 30s or 5m/,
      /x-deploy\.park: .*expected boolean/,
      /x-deploy\.health: must be a path that starts with \//,
      /x-deploy\.ctl: must be a list of words such as \[node, ctl\], or false/,
      /x-deploy\.url: Invalid URL/,
      /services\.app\.environment needs RELEASE: \$\{TASUKI_RELEASE:-\}/,
      /services\.app\.image must be \$\{TASUKI_IMAGE:-your-image:tag\}/,
    ])
      assert.match(run.stderr, new RegExp(`^ {2}\\| ${problem.source}`, 'm'));
  });

  const cases: [string, string | Uint8Array | null, string[], RegExp][] = [
    ['no Compose file', null, [], /no compose\.yaml here[^]*next: {2}go to the folder of your project, or/],
    [
      'a named file that is not there',
      compose,
      ['-f', 'x.yaml'],
      /it does not exist[^]*correct the name after -f/,
    ],
    ['a folder in place of a file', compose, ['-f', '.'], /it is a folder/],
    ['an empty file', '', [], /it is empty or not a mapping/],
    ['garbage', new Uint8Array([0, 1, 255, 254, 10, 7]), [], /cannot (read|understand) the Compose file/],
    [
      'bad YAML',
      'services:\n  app: [\n',
      [],
      /cannot understand the Compose file: .* at line \d+, column \d+$/m,
    ],
    ['the same key twice', `${compose}\nservices: {}\n`, [], /duplicated mapping key at line \d+/],
    ['a list', '- app\n', [], /it is empty or not a mapping/],
    ['services that are none', 'services: 3\n', [], /"services" is not a mapping/],
    ['no such service', 'services: {}\n', [], /services\.app is missing \(x-deploy\.service names it\)/],
    [
      'a block of another type',
      compose.replace(/^x-deploy:[^]*?\n\n/m, 'x-deploy: 5\n\n'),
      [],
      /x-deploy: .*object/,
    ],
  ];
  for (const [what, text, args, says] of cases) {
    it(`is refused with exit code 78 before the engine is asked: ${what}`, async () => {
      await using desk = await Desk.make(text);
      assertRefused(await desk.deploy([...args, ...IMAGE], NO_ENGINE), 78, says);
    });
  }
});
