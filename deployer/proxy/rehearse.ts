import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../core/context.ts';
import { within } from '../core/context.ts';
import { lastWords } from '../core/evidence.ts';
import { runInside } from '../engine/inside.ts';
import { createTwin, type Purpose } from '../engine/twin.ts';
import { DeployError } from '../errors.ts';
import { ask } from './confirm.ts';
import { PORT_IN_USE, PORT_VARIABLES, TEST_FLAG } from './kind.ts';
import type { ProxyStep } from './plan.ts';

/** Below the ports that the pod's own connections get (ip_local_port_range), above those that anything there listens on. */
const PORTS: [number, number] = [4000, 8000];
const ASK_S = 10;
/** The engine reports an end shortly after it. */
const END_MS = 1000;
/** Evidence is what the proxy itself says; its start script may say much before. */
const LINES = 8;

type Of<Word extends ProxyStep['do']> = Extract<ProxyStep, { do: Word }>;

/** Lets the new image read the configuration as it would be used: rendered, with the real certificate and volumes. */
export async function test({ handover }: Of<'proxy-test'>, context: Context): Promise<void> {
  const { engine } = context;
  const command = [...((await described(context)).Config.Cmd ?? []), TEST_FLAG];
  await inTwin(context, `test-${handover}`, { command }, async (twin) => {
    const code = await within(
      context,
      context.timeoutMs,
      engine.ended(twin.id),
      () => new Error('the test did not end'),
    );
    if (code === 0) return;
    throw refused(
      `the configuration of the proxy is broken`,
      `${command.join(' ')} (exit code ${code})`,
      await wordsOf(context, twin),
    );
  });
}

/**
 * Runs it for a moment beside the one that serves, on ports of its own, and asks it for the app. The port of its status is the real
 * one: which shows that the two can share ports, where no visitor comes.
 */
export async function rehearse({ handover }: Of<'proxy-rehearse'>, context: Context): Promise<string> {
  const { engine, config } = context;
  const variables = (await described(context)).Config.Env ?? [];
  const [first, ...others] = PORT_VARIABLES.filter((name) =>
    variables.some((entry) => entry.startsWith(`${name}=`)),
  );
  if (!first) return `left out: compose.yaml gives it no ${PORT_VARIABLES[0]}`;
  const port = randomInt(...PORTS);
  const rehearsal = Object.fromEntries([first, ...others].map((name, n) => [name, String(port + n)]));
  const path = config.settings.probe;
  return await inTwin(context, `rehearse-${handover}`, { rehearsal }, async (twin) => {
    const ended = engine.ended(twin.id).then(async (code) => {
      throw await explainEnd(context, twin, code);
    });
    ended.catch(() => {}); // told to who waits
    const asked = askFromPod(context, port).catch(() => '');
    const late = (): Error => new Error('the rehearsal did not end');
    const line = await within(context, context.timeoutMs, Promise.race([asked, ended]), late);
    const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(line)?.[1] ?? 0);
    if (status >= 200 && status < 500) return `${path} ${status} behind it`;
    await Promise.race([ended, sleep(END_MS)]); // one that cannot have all its ports listens on some until it gives up
    const now = await ask(new URL(path, context.url), 'rehearsal');
    if (now.problem !== null)
      return `left open: ${path} does not answer behind the old one either (${now.problem})`;
    throw refused(
      `the app does not answer behind the new proxy, as it does behind the old one: ${line || 'no answer'}`,
      `${path} on port ${port}`,
      await wordsOf(context, twin),
    );
  });
}

interface Twin {
  id: string;
  name: string;
}

/** Starts a twin of the container that Compose has made, and removes it behind the work. */
async function inTwin<T>(
  context: Context,
  suffix: string,
  purpose: Purpose,
  work: (twin: Twin) => Promise<T>,
): Promise<T> {
  const { engine, config } = context;
  const name = `${config.project}-${config.settings.proxy}-${suffix}`;
  const id = await createTwin(engine, await described(context), name, '', purpose);
  try {
    await engine.start(id);
    return await work({ id, name });
  } finally {
    await engine.remove(id, 0);
  }
}

async function described({ engine, next }: Context) {
  const info = next && (await engine.inspect(next.id));
  if (!info) throw new Error('the container of the new proxy is gone');
  return info;
}

/** The first line of an answer on a port of the pod's loopback; waits for somebody to listen there. */
async function askFromPod({ engine, config, observed }: Context, port: number): Promise<string> {
  const request = `GET ${config.settings.probe} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n`;
  const script = `until exec 3<>/dev/tcp/127.0.0.1/${port}; do sleep 0.05; done 2>/dev/null
    printf '${request}' >&3; head -n 1 <&3`;
  return await runInside(engine, observed.pod?.id ?? '', ['timeout', String(ASK_S), 'bash', '-c', script]);
}

async function explainEnd(context: Context, twin: Twin, code: number): Promise<DeployError> {
  const words = await wordsOf(context, twin);
  if (!words.some((line) => PORT_IN_USE.test(line)))
    return refused(`the new proxy ended by itself (exit code ${code})`, twin.name, words);
  return new DeployError({
    code: 'PORT_NOT_SHARED',
    what: 'the new proxy cannot listen beside the one that serves: that one does not share its ports (reuseport), or is another user',
    subject: twin.name,
    evidence: words,
    next: 'once, and with some requests lost: docker compose up -d --force-recreate proxy; from then on they share',
  });
}

async function wordsOf({ engine }: Context, twin: Twin): Promise<string[]> {
  return (await lastWords(engine, twin)).slice(-LINES);
}

function refused(what: string, subject: string, evidence: string[]): DeployError {
  const next = 'correct the templates, compose.yaml or .env, and run this again; the old proxy serves';
  return new DeployError({ code: 'PROXY_CONFIG', what, subject, evidence, next });
}
