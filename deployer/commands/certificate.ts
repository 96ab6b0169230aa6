import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { daysLeft, readPair, servedCertificate, type Certificate } from '../certificate.ts';
import { loadConfig } from '../config.ts';
import { CERTIFICATE_FILE, CERTIFICATES_DIR, PROXY_UID } from '../contract.ts';
import { requirePod } from '../core/observe.ts';
import { Engine } from '../engine/docker.ts';
import { runInside } from '../engine/inside.ts';
import { DeployError, EXIT, type ExitCode } from '../errors.ts';
import type { Globals } from '../run.ts';

/** The proxy looks once a second, and reloads in far less than one. */
const SERVED_MS = 15_000;
const LOOK_MS = 50;
/** While it reloads, workers of both certificates take connections: so many looks in a row must show the new one. */
const LOOKS = 10;

/** Renamed into place: the proxy sees all of it or none. What was there stays beside it until the new one is served. */
const PUT = `umask 077; cd ${CERTIFICATES_DIR}; cat > new; chown ${PROXY_UID}:${PROXY_UID} new
  [ ! -e ${CERTIFICATE_FILE} ] || ln -f ${CERTIFICATE_FILE} before; mv new ${CERTIFICATE_FILE}`;
const TAKE_BACK = `cd ${CERTIFICATES_DIR}; [ ! -e before ] || { touch before; mv before ${CERTIFICATE_FILE}; }`;
const FORGET = `rm -f ${CERTIFICATES_DIR}/before`;

/** `deploy certificate [chain key]`: puts a certificate into service without losing a request; without files, says what is shown. */
export async function certificate(
  globals: Globals,
  files: { chain: string; key: string } | null,
): Promise<ExitCode> {
  const config = await loadConfig(globals);
  const pair = files && readPair(await read(globals, files.chain), await read(globals, files.key));
  const engine = new Engine();
  const { id: pod, tlsUrl } = await requirePod(engine, config);
  if (!tlsUrl) {
    throw new DeployError({
      code: 'NO_TLS',
      what: 'the pod publishes no port for TLS',
      subject: config.settings.pod,
      next: 'compose.yaml: the pod publishes 443 and the proxy has a volume at /run/certificates, as in docs/tls.md',
    });
  }
  if (pair) {
    const inPod = (script: string, input = ''): Promise<void> =>
      runInside(engine, pod, ['sh', '-euc', script], input);
    await inPod(PUT, pair.pem);
    if (!(await isServed(tlsUrl, pair.certificate))) {
      await inPod(TAKE_BACK);
      throw new DeployError({
        code: 'CERTIFICATE_NOT_SERVED',
        what: 'the proxy does not show the new certificate; the one before is back in its place',
        subject: tlsUrl,
        limit: `${SERVED_MS / 1000} s`,
        next: 'docker compose logs proxy   says why',
      });
    }
    await inPod(FORGET);
  }
  const shown = await servedCertificate(tlsUrl);
  globals.print(globals.json ? JSON.stringify({ v: 1, type: 'certificate', ...shown }) : inWords(shown));
  return EXIT.done;
}

async function isServed(url: string, { fingerprint }: Certificate): Promise<boolean> {
  let seen = 0;
  for (const end = performance.now() + SERVED_MS; performance.now() < end && seen < LOOKS;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const shown = await servedCertificate(url).catch(() => null);
    seen = shown?.fingerprint === fingerprint ? seen + 1 : 0;
    await new Promise((done) => setTimeout(done, LOOK_MS)); // oxlint-disable-line no-await-in-loop
  }
  return seen >= LOOKS;
}

function inWords(shown: Certificate): string {
  const left = daysLeft(shown);
  const lines = [
    `for      ${shown.names.join(', ')}`,
    `from     ${shown.issuer}`,
    `until    ${shown.until.slice(0, 10)} (${left >= 0 ? `${left} days` : 'expired'})`,
  ];
  if (shown.isSelfMade)
    lines.push('made for trying it: browsers warn; next: deploy certificate fullchain.pem privkey.pem');
  return lines.join('\n');
}

async function read(globals: Globals, path: string): Promise<{ path: string; text: string }> {
  const text = await readFile(resolve(globals.cwd, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new DeployError({
      code: 'BAD_CERTIFICATE',
      exit: EXIT.usage,
      what: `it cannot be read: ${error.message}`,
      subject: path,
      next: 'deploy certificate fullchain.pem privkey.pem',
    });
  });
  return { path, text };
}
