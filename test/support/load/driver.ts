import { setTimeout as delay } from 'node:timers/promises';
import { Columns } from './columns.ts';
import type { Outcome } from './columns.ts';
import type { Lane, Sink, Target } from './lane.ts';
import type { Counters, LoadOptions } from './options.ts';
import { makeShot, pattern } from './shots.ts';
import type { Shot } from './shots.ts';
import { SocketLane } from './socket-lane.ts';
import { UndiciLane } from './undici-lane.ts';

/** After a failure a lane waits this long, so that a dead target is not hammered instead of measured. */
const AFTER_FAILURE_MS = 5;
const SWEEP_MS = 250;
const TICK_MS = 2;

/** Sends requests by the options until stopped, and notes every one of them. */
export class Driver implements Sink {
  readonly columns: Columns;
  readonly counters: Counters = {
    sent: 0,
    answered: 0,
    failed: 0,
    inFlight: 0,
    skipped: 0,
    acknowledgedUpdates: 0,
  };
  readonly marks: { label: string; atMs: number }[] = [];
  idleCloses = 0;
  extraResponses = 0;
  readonly #options: LoadOptions;
  readonly #target: Target;
  readonly #fast: Uint8Array;
  readonly #slow: Uint8Array;
  /** Deadlines of what is in flight. */
  readonly #inFlight = new Map<Lane, number>();
  readonly #slowLanes = new Set<Lane>();
  readonly #lanes: Lane[] = [];
  readonly #idleKept: Lane[] = [];
  readonly #idleFresh: Lane[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #zero = performance.now();
  #running = false;
  #freshCredit = 0;
  #drawnFast = 0;
  #drawnSlow = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.columns = new Columns(options.run);
    const { origin, hostname, port } = new URL(options.target);
    const host = hostname.replace(/^\[|\]$/g, '');
    this.#target = { origin, host, port: Number(port || 80), headers: options.headers };
    this.#fast = pattern(options.mix);
    this.#slow = pattern(options.slowMix);
  }

  /** Milliseconds since the start. */
  now(): number {
    return performance.now() - this.#zero;
  }

  start(): void {
    this.#running = true;
    const { keepAlive, fresh, slow, mode, keepAliveClient } = this.#options;
    const kept = (): Lane =>
      keepAliveClient === 'undici'
        ? new UndiciLane(this.#target, this)
        : new SocketLane(this.#target, this, false);
    for (let i = 0; i < keepAlive; i++) this.#idleKept.push(kept());
    for (let i = 0; i < fresh; i++) this.#idleFresh.push(new SocketLane(this.#target, this, true));
    this.#lanes.push(...this.#idleKept, ...this.#idleFresh);
    for (let i = 0; i < slow; i++) {
      const lane = i % 2 === 0 ? kept() : new SocketLane(this.#target, this, true);
      this.#slowLanes.add(lane);
      this.#lanes.push(lane);
    }
    this.#timers.push(setInterval(() => this.#sweep(), SWEEP_MS));
    for (const lane of this.#slowLanes) this.#sendSlow(lane);
    if (mode === 'saturate') {
      for (const lane of [...this.#idleKept, ...this.#idleFresh]) this.#sendFast(lane, this.now());
    } else this.#arrivals(mode.rate);
  }

  mark(label: string): void {
    this.marks.push({ label, atMs: this.now() });
  }

  /** Sends nothing more and waits for what is in flight; what is unanswered at its deadline is a failure too. */
  async stop(): Promise<void> {
    this.#running = false;
    // Bounded: the sweep gives up every request at its own deadline.
    while (this.#inFlight.size > 0) await delay(5);
    for (const timer of this.#timers) clearInterval(timer);
    for (const lane of this.#lanes) lane.close();
  }

  done(lane: Lane, shot: Shot, outcome: Outcome): void {
    const { columns, counters } = this;
    columns.close(shot.row, this.now(), outcome);
    this.#inFlight.delete(lane);
    counters.inFlight--;
    const failed = outcome.error !== '';
    if (failed) counters.failed++;
    else {
      counters.answered++;
      if (columns.isUpdate(shot.row)) counters.acknowledgedUpdates++;
    }
    if (!this.#running) return;
    if (failed) setTimeout(() => this.#again(lane), AFTER_FAILURE_MS);
    else this.#again(lane);
  }

  idleClose(): void {
    this.idleCloses++;
  }

  extraResponse(): void {
    this.extraResponses++;
  }

  #again(lane: Lane): void {
    if (!this.#running) return;
    if (this.#slowLanes.has(lane)) this.#sendSlow(lane);
    else if (this.#options.mode === 'saturate') this.#sendFast(lane, this.now());
    else (lane.fresh ? this.#idleFresh : this.#idleKept).push(lane);
  }

  /** Open loop: arrivals at a fixed rate, whether or not earlier ones were answered. */
  #arrivals(rate: number): void {
    const begin = this.now();
    let arrived = 0;
    const tick = (): void => {
      const due = Math.floor(((this.now() - begin) * rate) / 1000);
      for (; this.#running && arrived < due; arrived++) {
        this.#freshCredit += this.#options.freshShare;
        const fresh = this.#freshCredit >= 1;
        if (fresh) this.#freshCredit -= 1;
        // The one that has rested longest: a proxy that is reloaded may close what rests for seconds while a request is on its way.
        const lane = (fresh ? this.#idleFresh : this.#idleKept).shift();
        // The latency counts from the moment the request was due, else a stall would hide behind its own queue.
        if (lane === undefined) this.counters.skipped++;
        else this.#sendFast(lane, begin + (arrived * 1000) / rate);
      }
    };
    this.#timers.push(setInterval(tick, TICK_MS));
  }

  #sendFast(lane: Lane, startMs: number): void {
    this.#send(lane, this.#fast[this.#drawnFast++ % this.#fast.length]!, startMs, 0);
  }

  #sendSlow(lane: Lane): void {
    const kind = this.#slow[this.#drawnSlow++ % this.#slow.length]!;
    this.#send(lane, kind, this.now(), this.#options.slowMs);
  }

  #send(lane: Lane, kind: number, startMs: number, extraMs: number): void {
    const row = this.columns.open(kind, lane.fresh, startMs);
    this.counters.sent++;
    this.counters.inFlight++;
    this.#inFlight.set(lane, this.now() + this.#options.timeoutMs + extraMs);
    lane.send(makeShot(this.#options, kind, row));
  }

  #sweep(): void {
    const now = this.now();
    for (const [lane, deadline] of this.#inFlight) if (now > deadline) lane.abort('timeout');
  }
}
