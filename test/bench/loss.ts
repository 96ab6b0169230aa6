import { parseArgs } from 'node:util';
import { handOver, median } from '../support/handovers.ts';
import { buildReleases, Project } from '../support/project.ts';
import { strategyFile } from '../support/strategies.ts';
import { SATURATING, underLoad } from '../support/under-load.ts';

/**
 * The long proof: handovers under saturating load, through the proxy as shipped and with a connection per request.
 *   node test/bench/loss.ts [--handovers 50] [--requests 1000000] [--strategy unix|upstream]
 */

const { values } = parseArgs({
  options: {
    handovers: { type: 'string', default: '50' },
    requests: { type: 'string', default: '1000000' },
    strategy: { type: 'string' },
  },
});
const handovers = Number(values.handovers);
const requests = Number(values.requests);
const strategy = strategyFile(values.strategy);
const MAX_SECONDS = 3600;

const images = await buildReleases('v2', 'v3');
for (const [mode, keepAlive, client] of [
  ['as shipped', '64', 'undici'],
  ['connection per request', '0', 'socket'],
] as const) {
  await using project = await Project.up('tasuki-test:v1', {
    variables: { UPSTREAM_KEEPALIVE: keepAlive },
    strategy,
  });
  const options = { ...SATURATING, keepAliveClient: client, maxSeconds: MAX_SECONDS };
  let times = { deploys: [0], rollbacks: [0] };
  const { report, judgement, kernel } = await underLoad(project, options, async (load) => {
    await load.until((counters) => counters.sent > 1000, 30_000);
    // The handovers are spread over the whole run.
    times = await handOver(project, load, images, handovers, async (n) => {
      await load.until((counters) => counters.sent >= (requests * n) / handovers, 120_000);
    });
    const changes = await project.upChanges();
    console.log(
      `docker compose up -d afterwards changes: ${changes.length ? changes.join(', ') : 'nothing'}`,
    );
  });
  console.log(`${mode}: ${handovers} handovers, ${judgement.summary}`);
  console.log(
    `  kernel counters that moved: ${kernel.length ? kernel.join(', ') : 'none'}; ${report.perSecond} requests/s`,
  );
  console.log(
    `  from Enter to serving, median: deploy ${median(times.deploys)} ms, rollback ${median(times.rollbacks)} ms`,
  );
  if (!judgement.ok || kernel.length) {
    console.log(JSON.stringify(report.failures, null, 1));
    process.exitCode = 1;
  }
}
