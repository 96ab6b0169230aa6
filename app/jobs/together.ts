import type { Drain, Stay } from '../handover/index.ts';

/** Several sources of jobs as one: opened and drained together, their figures summed. */
export function together(stays: Stay[]): Stay {
  return {
    async open() {
      for (const stay of stays) await stay.open();
    },
    async adopt(manner) {
      for (const stay of stays) await stay.adopt(manner);
    },
    async drain(deadlineMs) {
      const drains = await Promise.all(stays.map((stay) => stay.drain(deadlineMs)));
      const sum = (read: (drain: Drain) => number): number => drains.reduce((all, one) => all + read(one), 0);
      return {
        ms: Math.max(...drains.map(({ ms }) => ms)),
        answered: sum(({ answered }) => answered),
        cut: sum(({ cut }) => cut),
      };
    },
    get requests() {
      return stays.reduce((all, stay) => all + stay.requests, 0);
    },
    get connections() {
      return stays.reduce((all, stay) => all + stay.connections, 0);
    },
  };
}
