import type { Config } from '../config.ts';
import { INITIAL_RELEASE, type ReleaseRecord, type State } from '../contract.ts';
import type { Engine } from '../engine/docker.ts';
import { ForeignSession } from '../engine/foreign.ts';
import { toInstance } from '../engine/instance.ts';
import { ControlSession, RefusedError, type Session } from '../engine/session.ts';
import { readRecord, recordOf, requirePod } from './observe.ts';

/** The open conversations with instances, at most one each. */
export class Sessions {
  readonly #engine: Engine;
  readonly #config: Config;
  readonly #open = new Map<string, { session: Promise<Session>; giveUp: AbortController }>();

  constructor(engine: Engine, config: Config) {
    this.#engine = engine;
    this.#config = config;
  }

  /** Opens the conversation, or gives the open one. Call early: it may cost an exec. */
  with(id: string, name = id.slice(0, 12)): Promise<Session> {
    const open = this.#open.get(id);
    if (open) return open.session;
    const giveUp = new AbortController();
    const session = this.#talk(id, name, giveUp.signal);
    session.catch(() => {}); // reported to whoever awaits it
    this.#open.set(id, { session, giveUp });
    return session;
  }

  /** The same with an instance that may have been started again meanwhile, where that is nothing to be told of. */
  async anew(id: string): Promise<Session> {
    const session = await this.with(id).catch(() => null);
    if (session && !session.isOver) return session;
    await this.end(id);
    return await this.with(id);
  }

  /** The state of an instance, or null when it cannot be asked. */
  async stateOf(id: string): Promise<State | null> {
    return await this.with(id)
      .then((session) => session.ask('state'))
      .then(
        (state) => state as State,
        () => null,
      );
  }

  async end(id: string): Promise<void> {
    const open = this.#open.get(id);
    this.#open.delete(id);
    open?.giveUp.abort();
    await (await open?.session.catch(() => null))?.end();
  }

  async #talk(id: string, name: string, signal: AbortSignal): Promise<Session> {
    const engine = this.#engine;
    const { ctl, health } = this.#config.settings;
    if (ctl) return await ControlSession.open(engine, id, name, ctl, signal);
    const [info, { id: pod, url }] = await Promise.all([
      engine.inspect(id),
      requirePod(engine, this.#config),
    ]);
    if (!info) throw new RefusedError('SESSION_CLOSED', `${name} is gone`);
    const { release } = toInstance(info, INITIAL_RELEASE);
    const { project, settings } = this.#config;
    const record = async (): Promise<ReleaseRecord | null> => {
      const [written, all] = await Promise.all([
        readRecord(engine, pod),
        engine.instances(project, settings.service, INITIAL_RELEASE),
      ]);
      return recordOf(all, written);
    };
    return new ForeignSession(engine, id, name, { pod, url, health, release, record });
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.end(id)));
  }
}
