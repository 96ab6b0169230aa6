import type { Logger } from '../log.ts';

/** Long enough for a child to have reported ready, and for the checks that follow. */
const READY_FIRST_MS = 300;

interface Closable {
  close(): void;
}

/**
 * Opens what a child can do without in its first moments only after them: a deploy waits for the boot, and each driver and
 * connection costs it 10 to 25 ms of CPU.
 */
export interface AfterBoot {
  /** Opens it a moment after `begin`; undefined until then. What is opened after `close` is closed at once. */
  open<T extends Closable>(
    make: () => Promise<T>,
  ): { readonly current: T | undefined; readonly opened: Promise<T> };
  /** The child is about to be ready. */
  begin(): void;
  close(): void;
}

export function afterBoot(log: Logger): AfterBoot {
  const { promise: booted, resolve: begin } = Promise.withResolvers<void>();
  const open: Closable[] = [];
  let closed = false;
  return {
    open<T extends Closable>(make: () => Promise<T>) {
      const late: { current: T | undefined; opened: Promise<T> } = {
        current: undefined,
        opened: booted.then(async () => {
          const made = await make();
          if (closed) made.close();
          open.push(made);
          late.current = made;
          return made;
        }),
      };
      late.opened.catch((error: unknown) =>
        log.error({ err: error }, 'not opened; the child goes on without'),
      );
      return late;
    },
    begin() {
      setTimeout(begin, READY_FIRST_MS).unref();
    },
    close() {
      closed = true;
      for (const one of open) one.close();
    },
  };
}
