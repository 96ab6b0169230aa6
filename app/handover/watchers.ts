/** Those who want to hear of every change. */
export class Watchers {
  readonly #all = new Set<() => void>();

  /** Calls `listener` after every change; returns the way to stop that. */
  add(listener: () => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(): void {
    for (const listener of this.#all) listener();
  }
}
