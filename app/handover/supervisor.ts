import { Children } from './children.ts';
import { openControl } from './control.ts';
import { Doors } from './doors.ts';
import type { Child } from './handle.ts';
import { leaveAt } from './leave-at.ts';
import { Manners } from './manner.ts';
import { watchNamespace } from './namespace.ts';
import {
  describe,
  HandoverError,
  type Drain,
  type Log,
  type Phase,
  type ReleaseRecord,
  type ServeOptions,
  type State,
} from './protocol.ts';
import { decideAtBoot, readRecord, takeOver, watchRecord } from './record.ts';
import { Serial } from './serial.ts';
import { stateOf } from './state.ts';
import { Turnover } from './turnover.ts';
import type { Place } from './place.ts';
import { occupy, placeOf, vacate } from './places.ts';
import { isUnclaimed } from './unclaimed.ts';
import { Watchers } from './watchers.ts';

/**
 * PID 1 of an instance: keeps the children, knows the phase, follows the record, obeys the control socket.
 * Every change of phase goes through `#serial`.
 */
export class Supervisor {
  readonly #options: ServeOptions;
  readonly #release: string;
  readonly #log: Log;
  readonly children: Children;
  readonly #turnover: Turnover;
  readonly #serial: Serial;
  readonly doors: Doors;
  readonly place: Place;
  readonly manners: Manners;
  /** They hear of every change of phase. */
  readonly watchers = new Watchers();
  #phase: Phase = 'booting';
  #lender: object | null = null;
  #record: ReleaseRecord | null = null;
  #drain: Drain | null = null;
  #problem: string | null = null;
  #stopped = false;

  constructor(release: string, options: ServeOptions, log: Log) {
    this.#release = release;
    this.#options = options;
    this.#log = log;
    this.children = new Children({
      count: options.children,
      log,
      onReady: (child) => void this.#settleIn(child),
      onTired: (child, reason) => void this.#turnover.recycle(child, reason),
    });
    this.#serial = new Serial((error) => {
      this.#problem = describe(error).message;
      this.#changed();
    });
    this.doors = new Doors(this.children, release, options, log);
    this.place = placeOf(options, {
      log,
      release,
      serving: () => this.#record?.serving,
      isMeant: () => !options.runDir || this.#record?.serving === release,
      alone: (change) => this.#serial.attempt(change),
    });
    this.manners = new Manners(this.children, this.#serial, this.place);
    this.#turnover = new Turnover({
      children: this.children,
      log,
      drainTimeoutMs: options.drainTimeoutMs,
      serial: this.#serial,
      admit: (child) => this.#admitChild(child),
      onChange: () => this.#changed(),
    });
  }

  /** Boots the instance; resolves once it is standby or serving. A failed boot is thrown. */
  async run(controlSocket: string): Promise<void> {
    for (const signal of ['SIGTERM', 'SIGINT'])
      process.on(signal, () => void this.stop(this.#options.drainTimeoutMs));
    process.on('SIGHUP', () => void this.#turnover.reload());
    await openControl(controlSocket, this);
    await Promise.all([this.children.startAll(), this.#options.prepare?.()]).catch((error: unknown) => {
      if (!this.#stopped) throw error;
    });
    if (this.#stopped) return;
    const { runDir, keepUntil } = this.#options;
    if (runDir) this.#record = await readRecord(runDir);
    await this.doors.follow('standby', this.#record); // who finds it in standby may count on it
    this.#enter('standby');
    if (!runDir) return await this.#serial.run(() => this.#listen());
    watchNamespace(this.#log, () => void this.stop(0, 1));
    await this.#serial.run(async () => {
      this.#record = await readRecord(runDir);
      const decision = decideAtBoot(this.#record, this.#release);
      if (decision !== 'standby') await this.#listen();
      if (decision === 'claim' && !this.#options.stay) this.#record = await takeOver(runDir, this.#release);
      this.#changed();
    });
    watchRecord(runDir, () => void this.#follow(runDir));
    if (keepUntil) leaveAt(keepUntil, () => void (this.#isWarm && this.stop(this.#options.drainTimeoutMs)));
    if (this.#phase === 'standby' && !this.#options.stay) void this.#claimIfNobodyServes(runDir);
  }

  /** What this instance is and does at the moment. */
  async state(): Promise<State> {
    const onLoan = this.#lender !== null;
    const own = { phase: this.#phase, onLoan, record: this.#record, drain: this.#drain };
    return await stateOf(this, { release: this.#release, ...own, problem: this.#problem });
  }

  /** True while the instance does its job with all its children. */
  get healthy(): boolean {
    return this.#phase !== 'booting' && this.#phase !== 'exiting' && this.children.complete;
  }

  /** Listens on the public port, on loan to `lender` until `promote`. */
  admit(lender: object): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#phase === 'serving') return;
      await this.#listen(this.#options.runDir ? lender : null);
      this.#changed();
    });
  }

  /** Makes this release the one that serves: one rename, from which all instances take what to do. */
  promote(): Promise<void> {
    return this.#serial.run(async () => {
      const { runDir } = this.#options;
      if (!runDir) throw new HandoverError('NO_RECORD', 'there is no run folder, so no record to write');
      if (this.#phase !== 'serving') throw new HandoverError('NOT_SERVING', `cannot promote: ${this.#phase}`);
      this.#record = await takeOver(runDir, this.#release);
      this.#lender = null;
      this.#changed();
      await this.place.keep();
      await this.doors.show(null).catch(() => {}); // from here on everybody sees it
    });
  }

  /** Leaves the port, answers what still arrives, stays warm. */
  async park(deadlineMs: number): Promise<Drain> {
    const { drained } = await this.#serial.run(async () => {
      const { runDir } = this.#options;
      const record = runDir ? await readRecord(runDir) : null;
      if (record?.serving === this.#release && !this.#lender) {
        throw new HandoverError('SERVES', 'the record names it: promote another, and it parks by itself');
      }
      return await this.#leave(deadlineMs);
    });
    return await drained;
  }

  /** Drains, ends the children and the process. A second call while it drains changes nothing. */
  async stop(deadlineMs: number, exitCode = 0): Promise<Drain> {
    if (this.#stopped) return { ms: 0, answered: 0, cut: 0 };
    this.#stopped = true;
    this.doors.leave();
    this.#enter('exiting');
    const end = await this.place.leave();
    const drain = await this.children.stopAll(deadlineMs);
    end();
    this.#drain = drain;
    this.#log('info', 'drained, exiting', { ...drain });
    setImmediate(() => process.exit(exitCode)); // oxlint-disable-line unicorn/no-process-exit -- PID 1 ends the instance
    return drain;
  }

  /** A session ended: what it held on loan goes back, so a deployer that dies leaves nothing half done. */
  released(owner: object): void {
    this.manners.released(owner);
    void this.#serial.run(async () => {
      if (this.#lender !== owner) return;
      this.#log('warn', 'the session that admitted this release ended before promoting it: leaving the port');
      await this.#leave(this.#options.drainTimeoutMs);
    });
  }

  async #listen(lender: object | null = null): Promise<void> {
    if (this.#stopped) throw new HandoverError('EXITING', 'the instance is exiting');
    if (this.#phase === 'booting') throw new HandoverError('BOOTING', 'the instance is not ready yet');
    if (this.#phase === 'serving') return;
    await occupy(this.place, this.children, lender !== null, this.#options.drainTimeoutMs);
    this.#lender = lender;
    this.#problem = null;
    this.#enter('serving');
  }

  /**
   * Leaves the port. The drain goes on beside the queue: the instance can be admitted again while it lasts, since
   * every admission opens listeners of its own.
   */
  async #leave(deadlineMs: number, gently = false): Promise<{ drained: Promise<Drain> }> {
    if (this.#phase !== 'serving') return { drained: Promise.resolve({ ms: 0, answered: 0, cut: 0 }) };
    this.#lender = null;
    const leaving = await vacate(this.place, this.children, deadlineMs, gently);
    this.#enter('draining');
    const drained = leaving.drained.then((drain) => {
      this.#drain = drain;
      if (this.#phase === 'draining') this.#enter('parked');
      return drain;
    });
    drained.catch((error: unknown) => this.#log('error', 'drain failed', describe(error)));
    return { drained };
  }

  /** Reads within the queue: of two reads that overlap, the older could otherwise be acted on last. */
  async #follow(dir: string): Promise<void> {
    await this.#serial.attempt(async () => {
      const record = await readRecord(dir).catch((error: unknown) => {
        this.#log('error', 'cannot read the record; staying as it is', describe(error));
      });
      if (!record || JSON.stringify(record) === JSON.stringify(this.#record)) return;
      this.#record = record;
      this.#changed();
      if (record.serving === this.#release) {
        if (this.#isWarm) await this.#listen();
      } else if (this.#phase === 'serving' && !this.#lender) {
        await this.place.untilTaken();
        await this.#leave(this.#options.drainTimeoutMs, true);
      }
    });
  }

  async #claimIfNobodyServes(dir: string): Promise<void> {
    if (!(await isUnclaimed(this.place, () => this.#phase === 'standby'))) return;
    await this.#serial.attempt(async () => {
      if (this.#phase !== 'standby') return;
      this.#log('warn', 'nobody serves: taking over');
      await this.#listen();
      this.#record = await takeOver(dir, this.#release);
      this.#changed();
    });
  }

  get #isWarm(): boolean {
    return this.#phase === 'standby' || this.#phase === 'parked';
  }

  /** A child that replaces one that ended joins the others on the port. */
  async #settleIn(child: Child): Promise<void> {
    await this.#admitChild(child).catch((error: unknown) => (this.#problem = describe(error).message));
    this.#changed();
  }

  async #admitChild(child: Child): Promise<void> {
    await child.ask({ do: 'manner', manner: this.manners.current });
    if (this.#phase === 'serving') await this.place.admit(child);
    await this.doors.join(child);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#log('info', phase, { release: this.#release });
    this.#changed();
  }

  #changed(): void {
    if (!this.#stopped) void this.doors.follow(this.#phase, this.#record);
    this.watchers.tell();
  }
}
