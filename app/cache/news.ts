import { randomUUID } from 'node:crypto';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { openConnection } from './connection.ts';
import { within } from './deadline.ts';

/** One channel for all topics: it is subscribed to once, and what is said on it is rare. */
const CHANNEL = 'tasuki:changed';
const TELL_MS = 1000;

/** One thing that may change, as seen from one place that keeps it. */
export interface Topic {
  /** Tells every other holder of this topic, in all processes. False when Redis did not take it. */
  tell(): Promise<boolean>;
  close(): void;
}

/** Says through Redis that something has changed. It carries no data: who hears of it reads for itself. */
export interface News {
  /**
   * `heard` is called when another holder tells, and after each time the subscription was made: what was told while
   * there was none is lost, so everything may have changed.
   */
  topic(name: string, heard: () => void): Topic;
  /** Whether what others tell is heard now. */
  connected(): boolean;
  /** Resolves when the subscription is there or the connection has failed once. */
  settled(): Promise<void>;
  close(): void;
}

interface Holder {
  id: string;
  name: string;
  heard: () => void;
}

/** Connects in the background. RESP3 allows to publish on the connection that is subscribed: one is enough. */
export function createNews(url: string, log: Logger): News {
  const { redis } = openConnection(url, 'changes of master data are seen late', log);
  const holders = new Set<Holder>();
  let subscribed = false;

  redis.on('close', () => (subscribed = false));
  redis.on('message', (_channel, text) => {
    const { from, name } = parse(text);
    for (const holder of holders) if (holder.name === name && holder.id !== from) holder.heard();
  });
  const settled = new Promise<void>((resolve) => {
    redis.once('error', () => resolve());
    redis.once('end', () => resolve());
    redis.on('ready', () => {
      redis.subscribe(CHANNEL).then(
        () => {
          subscribed = true;
          for (const holder of holders) holder.heard(); // only now: what comes from here on is heard
          resolve();
        },
        () => redis.disconnect(true), // refused or lost: begin again
      );
    });
  });

  return {
    topic(name, heard) {
      const holder: Holder = { id: randomUUID(), name, heard };
      holders.add(holder);
      return {
        async tell() {
          try {
            await within(TELL_MS, redis.publish(CHANNEL, `${holder.id} ${name}`));
            return true;
          } catch (error) {
            log.warn({ topic: name, reason: messageOf(error) }, 'a change was not told; others see it late');
            return false;
          }
        },
        close: () => void holders.delete(holder),
      };
    },
    connected: () => subscribed,
    settled: () => settled,
    close() {
      holders.clear();
      redis.disconnect();
    },
  };
}

function parse(text: string): { from: string; name: string } {
  const space = text.indexOf(' ');
  return { from: text.slice(0, space), name: text.slice(space + 1) };
}
