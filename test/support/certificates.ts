import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A key and a certificate that it signs itself, PEM; made by openssl, which comes with ca-certificates. */
export function makePair({ name, days = 90, bits }: { name: string; days?: number; bits?: number }): {
  key: string;
  certificate: string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'tasuki-pair-'));
  const kind = bits
    ? ['rsa', '-pkeyopt', `rsa_keygen_bits:${bits}`]
    : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  try {
    execFileSync(
      'openssl',
      // prettier-ignore
      ['req', '-x509', '-newkey', ...kind, '-noenc', '-days', String(days), '-subj', `/CN=${name}`, '-addext',
        `subjectAltName=DNS:${name}`, '-keyout', 'key.pem', '-out', 'certificate.pem'],
      { cwd: folder, stdio: 'pipe' },
    );
    const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
    return { key: read('key.pem'), certificate: read('certificate.pem') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
