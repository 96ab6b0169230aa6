import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandQuery } from '../support/ledger.ts';

void test('a command that prints rows under a heading is a query', async () => {
  const query = commandQuery(['sh', '-c', String.raw`read sql; printf 'seq\tid\n1\t%s\n2\tb\n' "$sql"`]);
  assert.deepEqual(await query('SELECT'), [
    { seq: '1', id: 'SELECT;' },
    { seq: '2', id: 'b' },
  ]);
});

void test('a command that prints nothing is an empty answer', async () => {
  assert.deepEqual(await commandQuery(['true'])('SELECT'), []);
});

void test('a command that fails, or hangs, is an error and never an empty ledger', async () => {
  await assert.rejects(
    commandQuery(['sh', '-c', 'echo no such table >&2; exit 1'])('SELECT'),
    /no such table/,
  );
  await assert.rejects(commandQuery(['/does/not/exist'])('SELECT'), /ENOENT/);
  await assert.rejects(commandQuery(['sleep', '60'], 100)('SELECT'), /SIGTERM/);
});
