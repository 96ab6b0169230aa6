import type { CheckResult, State } from '../contract.ts';
import { gist } from '../gist.ts';
import { DeployError } from '../errors.ts';
import { formatDuration } from '../duration.ts';
import { RefusedError } from '../engine/session.ts';
import { EXIT_GRACE_MS, explainRefusal, failedRelease, falters, within, type Context } from './context.ts';
import type { Strategy } from '../schema.ts';
import { wordsOf } from '../strategy.ts';
import { whyNotInTime, type Last } from './not-in-time.ts';
import type { Of } from './plan.ts';
import { isSaturated } from './share.ts';

/** Between two health checks of a release that is not healthy yet. */
const CHECK_AGAIN_MS = 200;
const CHECK_TIMEOUT_MS = 5000;
/** Answers of the new release that must be seen through the proxy, and how long that may take. */
const CONFIRMATIONS = 3;
const CONFIRM_TIMEOUT_MS = 10_000;
const CONFIRM_AT_ONCE = 4;
/** Of a busy release's answers each of so many closes its connection, so that users come to the next one by and by. */
const LOOSEN_EVERY = 20;
/** So many requests per second, a release that has just booted takes all at once without a queue. */
const FEW_PER_SECOND = 400;

/** Pulls an image; one that is nowhere is the user's most likely mistake. */
export async function pull({ image }: Of<'pull'>, context: Context): Promise<void> {
  const { engine, emit, timeoutMs } = context;
  try {
    await within(
      context,
      Math.max(timeoutMs, 600_000),
      engine.pull(image, (text) => emit({ type: 'progress', id: 'pull', text })),
      () => new Error('pulling took longer than 10 min'),
    );
  } catch (error) {
    if (context.signal.aborted) throw error;
    // dockerode puts "(HTTP code 404) no such container - " in front of what the engine said.
    const reason = (error as Error).message.replace(/^\(HTTP code \d+\) [^-]* - /, '').trim();
    throw new DeployError({
      code: 'IMAGE_MISSING',
      what: `the image is not on this machine and could not be pulled: ${reason}`,
      subject: image,
      next: 'check the name (docker images lists what is here), or build it: deploy --build',
    });
  }
}

/** Waits until all instances of the next release are healthy; what is said of the first stands for them. */
export async function allHealthy({ image }: Of<'standby'>, context: Context): Promise<string> {
  const { next, others } = context;
  if (!next) throw new Error('no next instance yet');
  const first = waitHealthy(context, next, image);
  const rest = others.map((one) => waitHealthy({ ...context, next: one }, one, image)); // each explains itself
  const [said] = await Promise.all([first, ...rest]);
  if (others.length) context.standbySince = performance.now(); // the last of them
  return others.length ? `${said}; all ${others.length + 1} are healthy` : said;
}

/** Waits until the instance is in standby and healthy; whatever goes wrong is explained. */
async function waitHealthy(
  context: Context,
  next: { id: string; name: string },
  image: string,
): Promise<string> {
  const { engine, timeoutMs, config } = context;
  const gone = new AbortController();
  const exited = engine.exited(next.id, gone.signal).then(async (code) => {
    throw await endedAtBoot(context, next.id, code);
  });
  const last: Last = { check: null, session: null };
  const ready = becomesHealthy(context, next, last).catch(async (error: unknown) => {
    // Its session ends when the container does: let the exit, which explains more, speak first.
    if (error instanceof RefusedError) await Promise.race([exited, sleep(EXIT_GRACE_MS)]);
    throw await explainRefusal(context, error, image);
  });
  try {
    const check = await within(context, timeoutMs, Promise.race([ready, exited]), () => new Late());
    return `${config.settings.health} ${check.status} in ${check.ms} ms`;
  } catch (error) {
    if (!(error instanceof Late)) throw error;
    const details = await whyNotInTime(last, context, next.id);
    throw await failedRelease(context, { ...details, limit: formatDuration(timeoutMs) });
  } finally {
    gone.abort();
    exited.catch(() => {});
  }
}

class Late extends Error {}

/** Ended before admission; a port that was in use is the mark of a server that does not know the contract. */
async function endedAtBoot(context: Context, id: string, code: number): Promise<DeployError> {
  const lines = await context.engine.lastLines(id);
  const what = `the new release ended by itself (exit code ${code}) before it was admitted`;
  return await failedRelease(
    context,
    lines.some((line) => /EADDRINUSE|address already in use/i.test(line))
      ? {
          code: 'BINDS_BY_ITSELF',
          what: `${what}: it wanted the port at once, and without SO_REUSEPORT it cannot share it`,
          next: 'listen only when admitted, with SO_REUSEPORT: serve() of tasuki/handover does both (docs/contract.md)',
        }
      : { code: 'EXITED', what, next: 'correct what its last lines say, and deploy again' },
  );
}

async function becomesHealthy(
  context: Context,
  next: { id: string; name: string },
  last: Last,
): Promise<CheckResult> {
  const { sessions, timeoutMs } = context;
  const { health } = context.config.settings;
  const session = await sessions.with(next.id, next.name);
  last.session = session;
  const state = await session.until(
    ({ phase }) => phase === 'standby' || phase === 'serving',
    timeoutMs + EXIT_GRACE_MS,
  );
  context.standbySince = performance.now();
  await compareWithServing(context, state);
  for (;;) {
    const check = await session
      .ask('check', { path: health, timeoutMs: CHECK_TIMEOUT_MS }, CHECK_TIMEOUT_MS * 2)
      .then(
        (result) => result as CheckResult,
        (error: Error) => ({ status: 599, ms: 0, body: error.message }),
      );
    last.check = `${health} answered ${check.status}: ${gist(check.body)}`;
    if (check.status >= 400) {
      await sleep(CHECK_AGAIN_MS);
      context.signal.throwIfAborted();
      continue;
    }
    return check;
  }
}

/** A parked release was compared when it was new; the strategy of the project may have been changed since. */
export async function wasStartedAlike(context: Context, next: State): Promise<void> {
  const isSocket = context.config.settings.strategy === 'unix';
  if ('path' in next.listen !== isSocket) await compareWithServing(context, next);
}

/** A handover is only between listeners of one address and one uid; a difference is found before admission. */
async function compareWithServing(context: Context, next: State): Promise<void> {
  const serving = context.observed.instances.find(
    (one) => one.running && one.release === context.observed.record?.serving,
  );
  const old = serving && (await context.sessions.stateOf(serving.id));
  if (!old) return;
  const [was, is] = [wordsOf(old.listen), wordsOf(next.listen)];
  if (was !== is) {
    throw await failedRelease(context, {
      code: 'OTHER_ADDRESS',
      what: `the new release would listen on ${is}, the old one listens on ${was}: ${
        onePort(old, next)
          ? 'the kernel hands connections over only between listeners of one address'
          : 'the proxy would not find it'
      }`,
      next: howToAgree(context.config.settings.strategy, old, next),
    });
  }
  if (old.uid !== next.uid) {
    throw await failedRelease(context, {
      code: 'OTHER_UID',
      what: `the new release runs as uid ${next.uid}, the old one as ${old.uid}: the kernel will not ${'path' in old.listen ? 'let it have the name of the socket' : 'share the port between them'}`,
      next: `run it as uid ${old.uid} (USER in the Dockerfile, or user: in compose.yaml)`,
    });
  }
}

function howToAgree(strategy: Strategy, old: State, next: State): string {
  const [was, is] = ['path' in old.listen, 'path' in next.listen];
  if (was !== is && is === (strategy === 'unix'))
    return 'put what serves on the strategy of compose.yaml first: docker compose up -d (docs/strategies.md)';
  return strategy === 'unix'
    ? 'let the release take LISTEN from its environment, as serve() of tasuki/handover does; one from before the change of strategy: deploy its image'
    : 'let the release take HOST and PORT from its environment; compose.yaml sets them';
}

function onePort({ listen: a }: State, { listen: b }: State): boolean {
  return 'port' in a && 'port' in b && a.port === b.port;
}

/**
 * Sends requests through the proxy until the new release has answered some. The old instances are asked to answer with
 * `Connection: close` meanwhile: the proxy would otherwise stay on connections it has kept open to them.
 */
export async function confirm({ release, loosen }: Of<'confirm'>, context: Context): Promise<string> {
  const { sessions, probe } = context;
  const every = (await changesAtOnce(context)) ? 1 : LOOSEN_EVERY;
  for (const id of loosen) {
    const session = await sessions.with(id).catch(() => null);
    await session?.ask('loosen', { on: true, every }).catch(() => {}); // a release that cannot do it is only slower to leave
  }
  const faltered = falters(context, CONFIRM_TIMEOUT_MS * 2).catch(async (error: unknown) => {
    throw await explainRefusal(context, error, release);
  });
  faltered.catch(() => {}); // once it is confirmed, nobody waits for this
  const deadline = performance.now() + CONFIRM_TIMEOUT_MS;
  let seen = 0;
  let sent = 0;
  while (performance.now() < deadline) {
    context.signal.throwIfAborted();
    const sending = Promise.all(Array.from({ length: CONFIRM_AT_ONCE }, () => probe.send(false)));
    const answers = await Promise.race([sending, faltered]);
    sent += answers.length;
    const bad = answers.find((answer) => answer.release === release && !answer.ok);
    if (bad) {
      throw await failedRelease(context, {
        code: 'FAILS_BEHIND_PROXY',
        what: `the new release answered through the proxy with ${bad.problem}`,
        next: 'correct the release; x-deploy.probe names the path that is asked',
      });
    }
    seen += answers.filter((answer) => answer.release === release).length;
    if (seen >= CONFIRMATIONS) return `${seen} of ${sent} answers are its own`;
  }
  throw await failedRelease(context, {
    code: 'NOT_SEEN',
    what: `the new release listens, but none of ${sent} requests through the proxy was answered with its X-Release`,
    limit: formatDuration(CONFIRM_TIMEOUT_MS),
    next: 'check that the proxy passes on X-Release and sends to the address the app listens on',
  });
}

/**
 * Whether each answer of the old release may close its connection. The next one answers its first requests slowly, and a queue
 * would form if all came at one moment; not where they are few, and on a saturated machine a queue stands anyway.
 */
async function changesAtOnce({ baseline }: Context): Promise<boolean> {
  const perSecond = await baseline.perSecond();
  return (perSecond !== null && perSecond < FEW_PER_SECOND) || (await isSaturated());
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
