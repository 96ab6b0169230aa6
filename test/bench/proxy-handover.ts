import { parseArgs } from 'node:util';
import { assertNoneFailed, seenLine, underAllClients } from '../support/handover-clients.ts';
import { median } from '../support/handovers.ts';
import { buildNextProxy } from '../support/next-proxy.ts';
import { buildReleases, Project } from '../support/project.ts';
import { BRISK } from '../support/under-load.ts';

/**
 * Handovers of the proxy itself, to another image and back in turn, under clients of every kind.
 *   node test/bench/proxy-handover.ts [--handovers 30]
 */

const { values } = parseArgs({ options: { handovers: { type: 'string', default: '30' } } });
const handovers = Number(values.handovers);

await buildReleases();
const images = [await buildNextProxy(), 'nginx:1.30'];
await using project = await Project.up('tasuki-test:v1');
const whole: number[] = [];
const leaving: number[] = [];
const seen = await underAllClients(
  project,
  { ...BRISK, keepAliveClient: 'socket', maxSeconds: 3600 },
  async (load) => {
    await load.until(({ answered }) => answered > 1500, 60_000);
    for (let n = 0; n < handovers; n++) {
      await load.mark(`handover ${n + 1}`);
      const { events } = await project.deployOk(
        '--service',
        'proxy',
        '--image',
        images[n % 2] ?? '',
        '--json',
      );
      for (const event of events) {
        if (event.type === 'end') whole.push(event.ms);
        if (event.type === 'step' && event.status === 'done' && event.id.startsWith('retire:'))
          leaving.push(event.ms);
      }
    }
  },
);
const changes = await project.upChanges();
const { judgement, kernel, report } = seen.load;
console.log(`${handovers} handovers: ${judgement.summary}`);
console.log(`  ${JSON.stringify(report.byConnection)}; connections closed at rest: ${report.idleCloses}`);
console.log(`  ${seenLine(seen)}`);
console.log(`  kernel counters that moved: ${kernel.length ? kernel.join(', ') : 'none'}`);
console.log(
  `  a handover ${median(whole)} ms, of which the old one takes ${median(leaving)} ms to leave (medians)`,
);
console.log(`  docker compose up -d afterwards changes: ${changes.length ? changes.join(', ') : 'nothing'}`);
if (!judgement.ok || kernel.length || changes.length) process.exitCode = 1;
assertNoneFailed(seen);
