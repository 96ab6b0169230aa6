import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import tls from 'node:tls';
import { DeployError, EXIT } from './errors.ts';

/** What there is to say of a certificate. */
export interface Certificate {
  /** Host names and addresses that it is good for. */
  names: string[];
  issuer: string;
  /** ISO 8601. */
  until: string;
  /** SHA-256 of it, in hexadecimal. */
  fingerprint: string;
  /** The same of those that are sent with it, which have signed it. */
  signers: string[];
  /** The proxy has made it itself, for trying it. */
  isSelfMade: boolean;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** OpenSSL's security level 2, which Debian's nginx has, takes no shorter ones. */
const LEAST_RSA_BITS = 2048;
const CONNECT_MS = 5000;

/**
 * Checks that a chain (the site's own certificate first) and a key belong together and are good now, and gives both as the one
 * file that the proxy reads. Throws a DeployError that says which of them is wrong.
 */
export function readPair(
  chain: { path: string; text: string },
  key: { path: string; text: string },
  now = new Date(),
): { pem: string; certificate: Certificate } {
  const blocks = chain.text.match(BLOCK) ?? [];
  if (blocks.length === 0) throw refused('there is no certificate in it (PEM)', chain.path);
  const certificates = blocks.map((block) => parse(() => new X509Certificate(block), chain.path));
  const secret: KeyObject = parse(() => createPrivateKey(key.text), key.path);
  const [own] = certificates;
  if (!own?.checkPrivateKey(secret)) throw refused('the key is not that of the certificate', key.path);
  const bits = secret.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < LEAST_RSA_BITS)
    throw refused(`an RSA key of ${bits} bits is too short`, key.path, `${LEAST_RSA_BITS} bits`);
  if (own.validToDate < now) throw refused(`it expired on ${day(own.validToDate)}`, chain.path);
  if (own.validFromDate > now) throw refused(`it is not good before ${day(own.validFromDate)}`, chain.path);
  for (const [n, issuer] of certificates.slice(1).entries()) {
    if (certificates[n]?.checkIssued(issuer)) continue;
    throw refused(
      `certificate ${n + 2} of it has not signed the one before: they are out of order`,
      chain.path,
    );
  }
  const pem = `${[secret.export({ type: 'pkcs8', format: 'pem' }), ...blocks].join('\n')}\n`;
  return { pem, certificate: describe(own, certificates.slice(1).map(fingerprintOf)) };
}

/** What a server shows at `url`, whether or not this machine trusts it. Rejects when nothing speaks TLS there. */
export async function servedCertificate(url: string): Promise<Certificate> {
  const socket = tls.connect({ ...addressOf(url), rejectUnauthorized: false });
  try {
    return await new Promise((resolve, reject) => {
      socket.setTimeout(CONNECT_MS, () => reject(new Error(`no answer within ${CONNECT_MS} ms`)));
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        const shown = socket.getPeerX509Certificate();
        if (shown) resolve(describe(shown, signersOf(socket.getPeerCertificate(true))));
        else reject(new Error('it shows no certificate'));
      });
    });
  } finally {
    socket.destroy();
  }
}

/** The address in a URL; a port that is the usual one is not in it. */
export function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replaceAll(/[[\]]/g, ''), port: port === '' ? 443 : Number(port) };
}

function signersOf(shown: tls.DetailedPeerCertificate): string[] {
  const signers: string[] = [];
  for (let one = shown; one.issuerCertificate && one.issuerCertificate !== one; one = one.issuerCertificate)
    signers.push(plain(one.issuerCertificate.fingerprint256));
  return signers;
}

function fingerprintOf(certificate: X509Certificate): string {
  return plain(certificate.fingerprint256);
}

function plain(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}

/** Whole days until it ends; negative when it has. */
export function daysLeft({ until }: Certificate, now = Date.now()): number {
  return Math.floor((Date.parse(until) - now) / 86_400_000);
}

function describe(certificate: X509Certificate, signers: string[]): Certificate {
  const alternatives = certificate.subjectAltName?.split(', ') ?? [];
  const issuer = new Map(
    certificate.issuer.split('\n').map((line) => line.split('=', 2) as [string, string]),
  );
  return {
    names: alternatives.map((name) => name.replace(/^(DNS|IP Address):/, '')),
    issuer: issuer.get('O') ?? issuer.get('CN') ?? certificate.issuer,
    until: certificate.validToDate.toISOString(),
    fingerprint: fingerprintOf(certificate),
    signers,
    isSelfMade: issuer.get('O') === 'made by tasuki',
  };
}

function parse<T>(read: () => T, path: string): T {
  try {
    return read();
  } catch (error) {
    throw refused(`it cannot be read: ${(error as Error).message}`, path);
  }
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function refused(what: string, subject: string, limit?: string): DeployError {
  const next =
    'deploy certificate fullchain.pem privkey.pem   the chain first, then the key without a passphrase';
  return new DeployError({
    code: 'BAD_CERTIFICATE',
    exit: EXIT.usage,
    what,
    subject,
    next,
    ...(limit !== undefined && { limit }),
  });
}
