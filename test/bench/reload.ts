import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildReleases, Project } from '../support/project.ts';
import { PROXIES } from '../support/proxies.ts';
import { shoot } from './web/load.ts';
import { buildLoadImage } from './web/peers.ts';

/**
 * What a reload of either proxy (HUP to its container) costs the clients of wrk, which keeps its connections and counts every
 * answer that did not come. One line for each proxy.
 *   node test/bench/reload.ts [--reloads 10] [--every 3] [--connections 64]   seconds from one to the next
 */

const { values } = parseArgs({
  options: {
    reloads: { type: 'string', default: '10' },
    every: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
  },
});
const [reloads, every, connections] = [values.reloads, values.every, values.connections].map(Number) as [
  number,
  number,
  number,
];
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(signal)));

await buildReleases();
await buildLoadImage();
for (const proxy of PROXIES) {
  await using project = await Project.up('tasuki-test:v1', { proxy });
  const [pod] = await project.containers('pod');
  const seconds = every * (reloads + 1);
  const shot = { pod: pod?.id ?? '', path: '/echo', connections, seconds };
  const [{ perSecond, errors, what }] = await Promise.all([
    shoot(shot, stop.signal),
    (async () => {
      for (let n = 0; n < reloads; n++) {
        await wait(every * 1000, null, { signal: stop.signal });
        await project.compose('kill', '-s', 'HUP', 'proxy');
      }
    })(),
  ]);
  console.log(
    `${proxy}: ${reloads} reloads, ${Math.round(perSecond * seconds)} requests, ${errors} errors ${what}`,
  );
  if (errors) process.exitCode = 1;
}
