import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readMigrations } from '../../app/db/migrate.ts';

void describe('a folder of migrations', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tasuki-migrations-'));
  });
  after(async () => {
    await rm(dir, { recursive: true });
  });

  /** Reads a folder with these files. */
  async function read(files: Record<string, string>) {
    const folder = await mkdtemp(join(dir, 'one-'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return await readMigrations(pathToFileURL(`${folder}/`));
  }

  void test('is read in the order of the numbers, comments left out, one statement for each semicolon', async () => {
    const [first, second] = await read({
      '0002-more.sql': "INSERT INTO a VALUES\n  (1, 'x;y'),\n  (2, 'z');\n",
      '0001-tables.sql': '-- why; and how\nCREATE TABLE a (id int);\n\nCREATE TABLE b (id int);\n',
    });
    assert.deepEqual(first?.statements, ['CREATE TABLE a (id int)', 'CREATE TABLE b (id int)']);
    assert.deepEqual(second?.statements, ["INSERT INTO a VALUES\n  (1, 'x;y'),\n  (2, 'z')"]);
  });

  void test('must be numbered from 0001 without a gap, a double, or another kind of name', async () => {
    const sql = 'CREATE TABLE a (id int);';
    for (const names of [
      ['0002-late.sql'],
      ['0001-a.sql', '0003-c.sql'],
      ['0001-a.sql', '0001-b.sql'],
      ['first.sql'],
    ])
      await assert.rejects(
        read(Object.fromEntries(names.map((name) => [name, sql]))),
        /expected a name that begins with/,
      );
  });

  const BREAKS = [
    'DROP TABLE cheers',
    'ALTER TABLE cheers DROP COLUMN text',
    'ALTER TABLE cheers DROP text',
    'ALTER TABLE cheers ADD COLUMN x int, DROP COLUMN text',
    'ALTER TABLE cheers RENAME COLUMN text TO words',
    'ALTER TABLE cheers RENAME TO shouts',
    'ALTER TABLE cheers CHANGE text words varchar(280)',
    'ALTER TABLE cheers MODIFY text varchar(10) NOT NULL',
    'ALTER TABLE cheers ADD COLUMN mood varchar(10) NOT NULL',
    'ALTER TABLE cheers ADD UNIQUE (id)',
    'ALTER TABLE cheers ADD CONSTRAINT c CHECK (seq > 0)',
    'RENAME TABLE cheers TO shouts',
    'TRUNCATE cheers',
    'DELETE FROM cheers WHERE seq < 100',
  ];
  for (const statement of BREAKS) {
    void test(`refuses what the release in service could not live with: ${statement}`, async () => {
      await assert.rejects(
        read({ '0001-x.sql': `${statement};\n` }),
        /0001-x\.sql, statement 1 .*-- contract: <reason>/,
      );
      const [marked] = await read({
        '0001-x.sql': `-- contract: nothing reads it since v7\n${statement};\n`,
      });
      assert.deepEqual(marked?.statements, [statement], 'marked, it is allowed');
    });
  }

  const FITS = [
    'CREATE TABLE moods (id int NOT NULL PRIMARY KEY)',
    'ALTER TABLE cheers ADD COLUMN mood varchar(10)',
    "ALTER TABLE cheers ADD COLUMN mood varchar(10) NOT NULL DEFAULT ''",
    'ALTER TABLE cheers ADD KEY at (at)',
    'ALTER TABLE cheers DROP INDEX team',
    'CREATE INDEX at ON cheers (at)',
    'UPDATE cheers SET team_id = 1 WHERE team_id = 0',
    "INSERT INTO teams VALUES (21, 'drop table', 'x', '#000000')",
  ];
  for (const statement of FITS) {
    void test(`takes what both releases can work with: ${statement}`, async () => {
      assert.equal((await read({ '0001-x.sql': `${statement};\n` })).length, 1);
    });
  }

  void test('of this project is sound', async () => {
    const all = await readMigrations();
    assert.ok(all.length >= 2);
    assert.ok(all.every(({ statements }) => statements.length > 0));
  });
});
