import type { Address } from './address.ts';
import type { Child } from './handle.ts';
import { isListened } from './names.ts';

/** The public address of an instance, as its supervisor sees it: how the releases come to it one after the other. */
export interface Place {
  readonly address: Address;
  /** New connections can be shared out between two releases. */
  readonly isShared: boolean;
  /** Somebody, whoever it is, takes the connections that come to the address. */
  isListened(): Promise<boolean>;
  /** Before the children are asked to listen. */
  open(): Promise<void>;
  /** Lets a child listen. */
  admit(child: Child): Promise<unknown>;
  /** The children listen: from here on connections come to them. `lent`: until it is kept, it may have to be given back. */
  take(lent: boolean): Promise<void>;
  keep(): Promise<void>;
  /** Resolves when the release that is to follow gets the new connections, or has not come in time. */
  untilTaken(): Promise<void>;
  /** Sends new connections elsewhere; gives what ends it for good, when the children have left. */
  leave(): Promise<() => void>;
}

/** A port on which each child of each release has a listener; the kernel shares new connections out among all. */
export class Port implements Place {
  readonly address: { host: string; port: number };
  readonly isShared = true;

  constructor(host: string, port: number) {
    this.address = { host, port };
  }

  async isListened(): Promise<boolean> {
    const { host, port } = this.address;
    return await isListened({ port, host: host === '0.0.0.0' ? '127.0.0.1' : host });
  }

  async admit(child: Child): Promise<unknown> {
    return await child.ask({ do: 'listen' });
  }

  async leave(): Promise<() => void> {
    return () => {};
  }

  // Listening is all it takes, and the kernel moves who waits at a listener that closes to another.
  async open(): Promise<void> {}
  async take(): Promise<void> {}
  async keep(): Promise<void> {}
  async untilTaken(): Promise<void> {}
}
