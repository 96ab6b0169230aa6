import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { describe, it } from 'node:test';
import { rememberingLookup } from '../../app/db/lookup.ts';

type Server = 'answers' | 'refuses' | 'is silent';

/** Looks names up at a server that can be told what to do. */
function client() {
  let server: Server = 'answers';
  const ask: LookupFunction = (name, _options, callback) => {
    if (server === 'answers') callback(null, `address of ${name}`, 4);
    if (server === 'refuses') callback(Object.assign(new Error('EAI_AGAIN'), { code: 'EAI_AGAIN' }), '', 4);
  };
  const lookup = rememberingLookup(ask);
  return {
    now: (what: Server) => void (server = what),
    find: (name: string): Promise<unknown> =>
      new Promise((resolve, reject) =>
        lookup(name, { all: false }, (error, address) => (error ? reject(error) : resolve(address))),
      ),
  };
}

describe('a name that was found once', () => {
  for (const server of ['refuses', 'is silent'] as const) {
    it(`is found while the name server ${server}`, async () => {
      const { now, find } = client();
      assert.equal(await find('mysql'), 'address of mysql');
      now(server);
      assert.equal(await find('mysql'), 'address of mysql');
    });
  }

  it('is asked for again each time', async () => {
    const { now, find } = client();
    await find('mysql');
    now('refuses');
    await find('mysql');
    now('answers');
    assert.equal(await find('mysql'), 'address of mysql');
  });

  it('says nothing of another', async () => {
    const { now, find } = client();
    await find('mysql');
    now('refuses');
    await assert.rejects(find('redis'), { code: 'EAI_AGAIN' });
  });
});
