import type { Cheer } from '../../app/db/cheers.ts';
import type { Master } from '../../app/db/teams.ts';
import { createLogger } from '../../app/log.ts';
import { createMetrics } from '../../app/observe/metrics.ts';
import { createApp, type Deps } from '../../app/web/app.ts';

const ROW: Cheer = {
  seq: 1,
  id: 'a',
  team_id: 1,
  text: '<script>alert("1")</script>',
  release_id: 'v0',
  at: new Date(0),
};

const MASTER: Master = {
  teams: [{ id: 1, name: 'Asa & Co', area: 'Kanto', color: '#b3261e' }],
  legs: [{ no: 1, start: 'Gate', finish: 'Lake', metres: 21_300 }],
  runners: [{ team_id: 1, leg: 1, name: 'Ren <b>', year: 2 }],
};

/** The Express app with made-up data instead of a database; what is added to it is in `added`. */
export function appWith(change: Partial<Deps> = {}) {
  const added: unknown[] = [];
  const deps: Deps = {
    config: { trustProxy: 'loopback', bodyLimit: 1000, logLevel: 'silent', requestTimeoutMs: 10_000 },
    release: 'v1',
    log: createLogger('silent', {}),
    metrics: createMetrics('v1'),
    database: { read: async () => [] },
    cheers: {
      add: async (cheer) => added.push(cheer),
      latest: async () => ({ cheers: [ROW], count: { total: 1, byTeam: new Map([[1, 1]]) } }),
    },
    master: { get: async () => MASTER },
    limit: (_req, _res, next) => next(),
    ...change,
  };
  return { app: createApp(deps), added };
}
