import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { addCommands } from '../../deployer/cli-commands.ts';
import { EXIT } from '../../deployer/errors.ts';
import { deploySchema } from '../../deployer/schema.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = async (path: string): Promise<string> => await readFile(join(ROOT, path), 'utf8');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'proxy/README.md',
  ...(await readdir(join(ROOT, 'docs'))).map((name) => `docs/${name}`),
];

/** The first cells of the rows of every table. */
function firstCells(page: string): string[] {
  return page.split('\n').flatMap((line) => /^\| (.+?) \|/.exec(line)?.[1] ?? []);
}
const sorted = (words: Iterable<string>): string[] =>
  [...new Set(words)].toSorted((a, b) => a.localeCompare(b));
/** A heading as the part of an address behind #, the way GitHub makes it. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\- ]/gu, '')
    .replaceAll(' ', '-');

describe('the documentation', () => {
  it('lists every setting of x-deploy, and no other', async () => {
    const cells = firstCells(await read('docs/settings.md'));
    const keys = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, key]) => key!));
    assert.deepEqual(sorted(keys), sorted(Object.keys(deploySchema.shape)));
  });

  it('lists every command, and no other', async () => {
    const program = new Command();
    addCommands(program, () => {});
    const cells = firstCells(await read('README.md'));
    const words = cells.flatMap((cell) => [...cell.matchAll(/`deploy ([a-z]+)/g)].map(([, word]) => word!));
    assert.deepEqual(sorted(words), sorted(program.commands.map((command) => command.name())));
  });

  it('lists every exit code, and no other', async () => {
    const cells = firstCells(await read('docs/operating.md'));
    const codes = cells.filter((cell) => /^\d+$/.test(cell));
    assert.deepEqual(sorted(codes), sorted(Object.values(EXIT).map(String)));
  });

  it('has no link that leads nowhere', async () => {
    const broken: string[] = [];
    for (const page of PAGES) {
      for (const [, path = '', part] of (await read(page)).matchAll(
        /\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g,
      )) {
        const target = path ? join(dirname(page), path) : page;
        const text = await read(target).catch(() => null);
        const anchors = [...(text ?? '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchor(heading!));
        if (text === null || (part && !anchors.includes(part))) broken.push(`${page}: ${path}#${part ?? ''}`);
      }
    }
    assert.deepEqual(broken, []);
  });
});
