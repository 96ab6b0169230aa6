import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { judgeSchemas } from '../../deployer/core/schema-fit.ts';
import { DeployError } from '../../deployer/errors.ts';

const names = { next: 'app:v2', serving: 'app:v1' };
const at = (schema: number | null, schemaNeeds = 0) => ({ schema, schemaNeeds });

function refused(next: ReturnType<typeof at>, serving: ReturnType<typeof at>): DeployError {
  try {
    judgeSchemas(next, serving, names);
  } catch (error) {
    if (error instanceof DeployError) return error;
  }
  return assert.fail('it must be refused');
}

describe('two releases on one database', () => {
  it('of the same schema, or of which the next adds to it, fit', () => {
    assert.equal(judgeSchemas(at(3), at(3), names), null);
    assert.equal(judgeSchemas(at(4), at(3), names), null);
    assert.equal(judgeSchemas(at(6, 5), at(5), names), null, 'what is taken away is no longer used');
  });

  it('of which one does not say what it knows are left alone', () => {
    assert.equal(judgeSchemas(at(null, 9), at(3), names), null);
    assert.equal(judgeSchemas(at(1), at(null, 9), names), null);
  });

  it('of which the next is older get a warning: the database does not go back', () => {
    assert.match(judgeSchemas(at(3), at(4), names) ?? '', /schema 4, and app:v2 knows 3/);
  });

  it('of which the next takes away what the serving one uses do not fit', () => {
    const { details, exit } = refused(at(6, 5), at(4));
    assert.deepEqual([details.code, exit, details.subject], ['SCHEMA_BREAKS', 2, 'app:v1']);
    assert.match(details.limit ?? '', /^schema 5 .* app:v2\); app:v1 knows 4$/);
  });

  it('of which the next would go back behind what has been taken away do not fit either', () => {
    const { details } = refused(at(4), at(6, 5));
    assert.deepEqual([details.code, details.subject], ['SCHEMA_BREAKS', 'app:v2']);
  });
});

void it('the label of the Dockerfile is the number of the newest migration', async () => {
  const root = new URL('../../', import.meta.url);
  const files = (await readdir(new URL('app/db/migrations/', root))).filter((name) => name.endsWith('.sql'));
  const [, label] = /tasuki\.schema="(\d+)"/.exec(await readFile(new URL('Dockerfile', root), 'utf8')) ?? [];
  assert.equal(Number(label), files.length);
});
