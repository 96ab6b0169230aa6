import { randomBytes } from 'node:crypto';
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

/**
 * Renamed into place, and only when all of it has come: the proxy sees all of it or none. What was there stays beside it until
 * the new one is served, under a name that this run alone has; leftovers of killed runs go.
 */
function putScript(run: string, bytes: number): string {
  return `umask 077; cd ${CERTIFICATES_DIR}
    find . -maxdepth 1 -name '*.*-*' -mmin +1 -delete
    cat > new.${run}; [ "$(wc -c < new.${run})" = ${bytes} ]
    chown ${PROXY_UID}:${PROXY_UID} new.${run}
    [ ! -e ${CERTIFICATE_FILE} ] || ln ${CERTIFICATE_FILE} before.${run}
    ln new.${run} mine.${run}; mv new.${run} ${CERTIFICATE_FILE}`;
}

/** Not when another run has put its own there meanwhile. */
function takeBackScript(run: string): string {
  return `cd ${CERTIFICATES_DIR}; touch -c before.${run}
    if [ -e before.${run} ] && [ ${CERTIFICATE_FILE} -ef mine.${run} ]; then mv before.${run} ${CERTIFICATE_FILE}; fi
    rm -f mine.${run} before.${run}`;
}

function forgetScript(run: string): string {
  return `cd ${CERTIFICATES_DIR}; rm -f mine.${run} before.${run}`;
}

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
      next: 'publish it: in a file of `deploy init` take the # before 443:443 away; else as docs/tls.md says, with a volume at /run/certificates',
    });
  }
  if (pair) {
    const run = `${process.pid}-${randomBytes(6).toString('hex')}`;
    const inPod = (script: string, input = ''): Promise<string> =>
      runInside(engine, pod, ['sh', '-euc', script], input);
    await inPod(putScript(run, Buffer.byteLength(pair.pem)), pair.pem);
    if (!(await isServed(tlsUrl, pair.certificate))) {
      await inPod(takeBackScript(run));
      throw notServed('the proxy does not show the new certificate; it has been taken back', tlsUrl);
    }
    await inPod(forgetScript(run));
  }
  const shown = pair?.certificate ?? (await look(tlsUrl));
  const { signers: _, ...said } = shown;
  globals.print(globals.json ? JSON.stringify({ v: 1, type: 'certificate', ...said }) : inWords(shown));
  return EXIT.done;
}

async function look(url: string): Promise<Certificate> {
  return await servedCertificate(url).catch((error: Error) => {
    throw notServed(`nothing speaks TLS there: ${error.message}`, url);
  });
}

function notServed(what: string, subject: string): DeployError {
  const next = 'docker compose logs proxy   says why';
  return new DeployError({
    code: 'CERTIFICATE_NOT_SERVED',
    what,
    subject,
    limit: `${SERVED_MS / 1000} s`,
    next,
  });
}

async function isServed(url: string, { fingerprint, signers }: Certificate): Promise<boolean> {
  let seen = 0;
  for (const end = performance.now() + SERVED_MS; performance.now() < end && seen < LOOKS;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const shown = await servedCertificate(url).catch(() => null);
    const isNew = shown?.fingerprint === fingerprint && signers.every((one) => shown.signers.includes(one));
    seen = isNew ? seen + 1 : 0;
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
