import { randomBytes } from 'node:crypto';
import { RECORD_FILE, RUN_DIR, type CheckResult, type ReleaseRecord, type State } from '../contract.ts';
import { gist } from '../gist.ts';
import type { Engine } from './docker.ts';
import { runInside } from './inside.ts';
import { RefusedError, type Session } from './session.ts';

const LOOK_EVERY_MS = 200;
const CHECK_TIMEOUT_MS = 5000;
const MAX_KNOWN = 20;
/** Where the proxy looks for who may be shown. */
const PREVIEWS = `${RUN_DIR}/preview`;
/** What the proxy answers for a preview that leads nowhere. */
const GONE = 410;
/** By this header the proxy leads a request to a release that is not admitted yet. */
export const PREVIEW_HEADER = 'x-tasuki-preview';

/** What is known of the project that the instance belongs to. */
export interface Surroundings {
  /** Id of the pod's container. */
  pod: string;
  /** Where the proxy is reached. */
  url: URL;
  /** The path that says whether an instance is healthy. */
  health: string;
  release: string;
  /** As it is written, or as it would be, had somebody written the first one. */
  record: () => Promise<ReleaseRecord | null>;
}

/**
 * The other side of a conversation with an image that knows nothing of docs/contract.md: answers for it, from what the engine
 * says and what it answers through the proxy. It has no port to admit it to and to leave: the proxy decides who meets it (engine/route.ts).
 */
export class ForeignSession implements Session {
  readonly #engine: Engine;
  readonly #id: string;
  readonly #name: string;
  readonly #around: Surroundings;
  /** By this the proxy knows the container; Docker resolves the first part. */
  readonly #token: string;
  readonly #shown = new Set<string>();
  #restartsBefore: number | null = null;
  #answered = false;
  #admitted = false;
  #isOver = false;
  state: State | null = null;

  constructor(engine: Engine, id: string, name: string, around: Surroundings) {
    this.#engine = engine;
    this.#id = id;
    this.#name = name;
    this.#around = around;
    this.#token = `${id.slice(0, 12)}_${randomBytes(12).toString('base64url')}`;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** As an image that follows the contract would answer; what cannot be known is refused. */
  async ask(command: string, args: object = {}): Promise<unknown> {
    const { path, timeoutMs, token } = args as { path?: string; timeoutMs?: number; token?: string | null };
    switch (command) {
      case 'state':
      case 'watch':
        return await this.#look();
      case 'admit':
      case 'park':
        this.#admitted = command === 'admit';
        return await this.#look();
      case 'check':
        return await this.#check(path ?? this.#around.health, timeoutMs ?? CHECK_TIMEOUT_MS);
      case 'preview':
        if (token) await this.#show(token);
        return await this.#look();
      case 'promote':
        await this.#promote();
        return await this.#look();
      default:
        throw new RefusedError('UNKNOWN_COMMAND', `${this.#name}: its image cannot "${command}"`);
    }
  }

  async until(done: (state: State) => boolean, timeoutMs: number): Promise<State> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const state = await this.#look();
      if (done(state)) return state;
      if (this.#isOver) throw new RefusedError('SESSION_CLOSED', `${this.#name} is not looked at any more`);
      if (performance.now() > deadline)
        throw new RefusedError('TIMEOUT', `still ${state.phase} after ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    if (this.#shown.has(this.#token))
      await this.#inPod(`rm -f ${PREVIEWS}/${this.#token}.open`).catch(() => {});
  }

  async #look(): Promise<State> {
    const info = await this.#engine.inspect(this.#id);
    if (!info?.State.Running) {
      this.#isOver = true;
      throw new RefusedError('SESSION_CLOSED', `${this.#name} has ended`);
    }
    this.#restartsBefore ??= info.RestartCount;
    let problem: string | null = null;
    if (!this.#answered) {
      const { health } = this.#around;
      const { status, body } = await this.#check(health, CHECK_TIMEOUT_MS);
      this.#answered = status < 400;
      if (!this.#answered) problem = `${health} answered ${status}: ${gist(body)}`;
    }
    const record = this.#answered ? await this.#around.record() : null;
    const serves = this.#admitted || !record || record.serving === this.#around.release;
    this.state = {
      protocol: 1,
      release: this.#around.release,
      phase: !this.#answered ? 'booting' : serves ? 'serving' : 'standby',
      onLoan: this.#admitted && record?.serving !== this.#around.release,
      listen: { host: '', port: 0 },
      uid: -1,
      children: [],
      restarts: info.RestartCount - this.#restartsBefore,
      record,
      drain: null,
      preview: false,
      paused: false,
      problem,
    };
    return this.state;
  }

  /** Through the proxy, which is led to this container; 599 with the reason when it does not answer. */
  async #check(path: string, timeoutMs: number): Promise<CheckResult> {
    await this.#show(this.#token);
    const start = performance.now();
    const ms = (): number => Math.round(performance.now() - start);
    try {
      const answer = await fetch(new URL(path, this.#around.url), {
        headers: { [PREVIEW_HEADER]: this.#token },
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      const body = (await answer.text()).slice(0, 500);
      const { status, headers } = answer;
      // What the proxy says by itself names no release.
      if (!headers.get('x-release'))
        return {
          status: 599,
          ms: ms(),
          body:
            status === GONE ? 'the proxy cannot connect to it' : `the proxy answered ${status} in its place`,
        };
      const location = headers.get('location');
      return { status, ms: ms(), body: location ? `it leads to ${location}` : body };
    } catch (error) {
      return { status: 599, ms: ms(), body: (error as Error).message };
    }
  }

  async #show(token: string): Promise<void> {
    if (!this.#shown.has(token))
      await this.#inPod(`mkdir -p ${PREVIEWS} && chmod 755 ${PREVIEWS} && : > ${PREVIEWS}/${token}.open`);
    this.#shown.add(token);
  }

  /** Writes that its release serves: all of it or nothing, and on the disk. */
  async #promote(): Promise<void> {
    const { release } = this.#around;
    const before = await this.#around.record();
    const known = [...new Set(before ? [before.serving, ...before.known] : [])].filter(
      (id) => id !== release,
    );
    const record: ReleaseRecord = {
      version: 1,
      serving: release,
      known: known.slice(0, MAX_KNOWN),
      at: new Date().toISOString(),
    };
    const file = `${RUN_DIR}/${RECORD_FILE}`;
    const put = `cat > ${file}.new && sync ${file}.new && mv ${file}.new ${file}`;
    await this.#inPod(`${put} && rm -f ${PREVIEWS}/*.open`, `${JSON.stringify(record)}\n`); // now everybody sees it
  }

  async #inPod(script: string, input = ''): Promise<void> {
    await runInside(this.#engine, this.#around.pod, ['sh', '-euc', script], input);
  }
}
