/** Runs changes one after the other, so that no two can interleave. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();
  readonly #onFailure: (error: unknown) => void;

  /** `onFailure` hears of each change that fails; who asked for it hears of it too. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  run<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change);
    this.#last = done.catch(this.#onFailure);
    return done;
  }

  /** The same where nobody asked: a failure is heard by `onFailure` alone. */
  async attempt(change: () => Promise<void>): Promise<void> {
    await this.run(change).catch(() => {});
  }
}
