import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressOf, daysLeft, readPair } from '../../deployer/certificate.ts';
import { judgeCertificate } from '../../deployer/doctor/app.ts';
import { DeployError } from '../../deployer/errors.ts';
import { makePair } from '../support/certificates.ts';

void describe('a certificate and its key', () => {
  const site = makePair({ name: 'shop.example', days: 90 });
  const chain = { path: 'chain.pem', text: site.certificate };
  const key = { path: 'key.pem', text: site.key };

  void test('go into one file, the key first, with what there is to say of them', () => {
    const { pem, certificate } = readPair(chain, key);
    assert.match(
      pem,
      /^-----BEGIN PRIVATE KEY-----[^]+-----END PRIVATE KEY-----\n+-----BEGIN CERTIFICATE-----/,
    );
    assert.deepEqual(certificate.names, ['shop.example']);
    assert.ok([89, 90].includes(daysLeft(certificate)), certificate.until);
    assert.equal(certificate.isSelfMade, false);
  });

  const refused: [string, () => unknown, RegExp][] = [
    [
      'a key of another certificate',
      () => readPair(chain, { ...key, text: makePair({ name: 'x' }).key }),
      /not that of/,
    ],
    ['the files in the wrong order', () => readPair(key, chain), /no certificate in it/],
    ['what is no PEM', () => readPair({ ...chain, text: 'hello' }, key), /no certificate in it/],
    ['a key that is none', () => readPair(chain, { ...key, text: 'hello' }), /cannot be read/],
    [
      'one that has expired',
      () => readPair(chain, key, new Date(Date.now() + 91 * 86_400_000)),
      /expired on \d{4}-/,
    ],
    ['one of tomorrow', () => readPair(chain, key, new Date(Date.now() - 2 * 86_400_000)), /not good before/],
    [
      'a chain out of order',
      () => readPair({ ...chain, text: chain.text + makePair({ name: 'x' }).certificate }, key),
      /certificate 2 .* out of order/,
    ],
    [
      'a short key',
      () => {
        const short = makePair({ name: 'shop.example', bits: 1024 });
        return readPair({ ...chain, text: short.certificate }, { ...key, text: short.key });
      },
      /1024 bits is too short/,
    ],
  ];
  for (const [what, read, message] of refused) {
    void test(`are refused: ${what}`, () => {
      assert.throws(
        read,
        (error) => error instanceof DeployError && error.exit === 2 && message.test(error.message),
      );
    });
  }
});

void test('the doctor warns 14 days before a certificate ends, and not of one that was made for trying it', () => {
  const shown = {
    names: ['shop.example'],
    issuer: 'CA',
    until: '2026-03-15T00:00:00.000Z',
    fingerprint: '',
    signers: [],
    isSelfMade: false,
  };
  const level = (day: string, more = {}) => judgeCertificate({ ...shown, ...more }, Date.parse(day)).level;
  assert.equal(level('2026-02-28'), 'ok');
  assert.equal(level('2026-03-02'), 'warn');
  assert.equal(level('2026-03-16'), 'fail');
  assert.equal(level('2026-03-16', { isSelfMade: true }), 'ok');
  assert.equal(judgeCertificate(null).level, 'ok');
});

void test('the address of a site is read from its URL, also where the port is the usual one', () => {
  assert.deepEqual(addressOf('https://127.0.0.1:443'), { host: '127.0.0.1', port: 443 });
  assert.deepEqual(addressOf('https://[::1]:8443'), { host: '::1', port: 8443 });
});
